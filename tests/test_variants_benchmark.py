"""benchmarks/variants.py trains masks of regions on a folder in ADE20K's layout."""

import argparse
import math

import numpy as np
import pytest
from PIL import Image

from benchmarks.variants import CONFIGS, _can_run, train
from simmim_bench.errors import BenchError

SEMANTIC = CONFIGS / "variants" / "semantic_swin-demo.py"


@pytest.fixture
def maps(tmp_path):
    """Four images of another size than the config's, with maps."""
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations"):
        (tmp_path / folder / "training" / "street").mkdir(parents=True)
    for name in "abcd":
        image = rng.integers(0, 256, (48, 80, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"images/training/street/{name}.jpg")
        classes = np.repeat(np.arange(5, dtype=np.uint8), 16)[None].repeat(48, 0)
        Image.fromarray(classes).save(tmp_path / f"annotations/training/street/{name}.png")
    return tmp_path


def arguments(**given):
    plain = {"images": None, "maps": None, "frozen": None, "steps": 3, "batch_size": 2}
    return argparse.Namespace(**{**plain, **given})


def test_masks_of_regions_train_on_a_folder_with_maps(maps):
    args = arguments(maps=maps)
    assert _can_run(SEMANTIC, args)
    logged, _, held = train(SEMANTIC, args)  # three steps of two: images come again
    assert [math.isfinite(step["loss"]) for step in logged] == [True] * 3
    assert held > 0


def test_without_maps_it_says_what_to_give(maps, capsys):
    assert not _can_run(SEMANTIC, arguments(images=maps))
    assert "semantic_swin-demo needs label maps; give --maps" in capsys.readouterr().err


def test_an_image_without_its_map_is_refused(maps):
    (maps / "annotations/training/street/c.png").unlink()
    with pytest.raises(BenchError, match=r"1 of 4 images .* have no label map, .*street/c.png"):
        train(SEMANTIC, arguments(maps=maps))
