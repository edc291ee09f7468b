"""AvgDist against distances found by trying every pair of pixels, and its tool."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simmim_bench.analysis.masks import Cell, average_distance, measure
from tests.calls import call

ROOT = Path(__file__).parents[2]


def by_pairs(mask):
    visible = np.argwhere(~mask)
    return [min(math.dist(pixel, seen) for seen in visible) for pixel in np.argwhere(mask)]


def test_it_is_the_mean_over_masked_pixels_of_the_nearest_visible_one():
    generator = np.random.default_rng(0)
    masks = generator.random((3, 7, 11)) < np.array([0.2, 0.6, 0.9])[:, None, None]
    distances = [value for mask in masks for value in by_pairs(mask)]
    assert average_distance(masks) == pytest.approx(np.mean(distances), rel=1e-12)


def test_a_lone_masked_pixel_is_one_pixel_away():
    mask = np.zeros((1, 5, 5), dtype=bool)
    mask[0, 2, 2] = True
    assert average_distance(mask) == 1.0


@pytest.mark.parametrize("value", [True, False])
def test_a_mask_without_a_border_has_none(value):
    assert average_distance(np.full((2, 4, 4), value)) is None


def test_larger_patches_and_ratios_are_farther():
    cells = [Cell("random", size, ratio) for size in (8, 32) for ratio in (0.3, 0.8)]
    found = dict(measure(cells, (192, 192), count=5))
    assert found[cells[0]] < found[cells[1]] < found[cells[3]]
    assert found[cells[0]] < found[cells[2]] < found[cells[3]]


def tool(*words):
    return call("tools/analyze.py", "masks", *words)


def test_the_tool_writes_table_plot_and_sheet(tmp_path):
    done = tool(
        "--strategies", "random", "square", "--mask-patch-sizes", 16, 64, "--mask-ratios", 0.5,
        0.9, "--image-size", 64, "--count", 2, "--out", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "AvgDist in pixels" in done.stdout
    rows = list(csv.DictReader((tmp_path / "avg_dist.csv").open()))
    assert [row["strategy"] for row in rows] == ["random"] * 4 + ["square"] * 4
    assert float(rows[0]["avg_dist"]) > 1
    assert rows[2]["avg_dist"] == ""  # one patch of 64 px hides all
    for name in ("avg_dist.png", "masks.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mask-patch-sizes", 40], "image size 192 is not divisible by mask patch size 40"),
        (["--mask-ratios", 0], "mask ratio 0.0 is not between 0 and 1"),
        (["--mask-ratios", 1], "mask ratio 1.0 is not between 0 and 1"),
        (["--strategies", "blokwise"], "did you mean blockwise"),
    ],
)
def test_bad_values_get_one_sentence_and_write_nothing(words, said, tmp_path):
    done = tool(*words, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
