"""What both sides of the comparison with VisBench get, and that ours has its schedule."""

import math

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from PIL import Image

from benchmarks.visbench import EPOCHS, LR, SIZE, cut, measured, ours, row
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError


@pytest.fixture
def images(tmp_path):
    for split in ("training", "validation"):
        for kind in ("images", "annotations"):
            (tmp_path / kind / split).mkdir(parents=True)
        for number in range(3):
            values = np.full((240, 300), 9, np.uint8)
            values[:, 30:270] = number  # the square in the middle
            Image.fromarray(values).save(tmp_path / "annotations" / split / f"{number}.png")
            colours = np.stack([values] * 3, 2)
            Image.fromarray(colours).save(tmp_path / "images" / split / f"{number}.jpg", quality=95)
    return tmp_path


def test_images_and_label_maps_are_cut_alike(images, tmp_path):
    assert cut(images, tmp_path / "cut", 2) == 2
    for split in ("training", "validation"):
        files = sorted((tmp_path / "cut" / "annotations" / split).iterdir())
        assert [file.name for file in files] == ["0.png", "1.png"]
        for number, file in enumerate(files):
            labels = np.asarray(Image.open(file))
            assert labels.shape == (SIZE, SIZE)
            assert set(np.unique(labels)) == {number}
            colours = np.asarray(Image.open(tmp_path / "cut" / "images" / split / file.name))
            assert abs(colours.astype(int) - number).max() < 30


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(BenchError, match="has no files; give ADE20K's layout"):
        cut(tmp_path, tmp_path / "cut", None)


def test_the_schedule_is_that_of_visbench(tmp_path):
    """Linear warm-up over one and a half epochs, then a cosine to zero, step by step."""
    ours(tmp_path, tmp_path / "weights", 80)
    cfg = load_config(str(tmp_path / "probe.py"))
    layer = torch.nn.Linear(1, 1)
    wrapper = OptimWrapper(torch.optim.AdamW(layer.parameters(), lr=LR))
    schedulers = [PARAM_SCHEDULERS.build(dict(each, optimizer=wrapper))
                  for each in cfg.param_scheduler]  # fmt: skip
    total, warmup = 10 * EPOCHS, 15
    rates = []
    for _ in range(total):
        rates.append(wrapper.param_groups[0]["lr"])
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    expected = [
        LR * (step + 1) / warmup
        if step < warmup
        else LR * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        for step in range(total)
    ]
    assert rates == pytest.approx(expected)


def test_a_command_is_measured_and_its_failure_said(tmp_path):
    def command(what):
        code = "import sys; x = bytearray(2 ** 27); print('31'); sys.exit(len(sys.argv[1]) - 4)"
        return ["python3", "-c", code, what], {}, float

    found = measured(command, "full")
    assert found["miou"] == 31
    assert found["memory"] > 128
    assert 0 < found["cpu"] < found["seconds"] + 1
    line = row({"side": "ours", "run": "full cache", **found})
    assert line.startswith("| ours | full cache | ")
    with pytest.raises(BenchError, match=r"python3 -c .* failed"):
        measured(command, "empty")
