"""What super-resolution keeps of the small image, and what it takes from the model."""

import argparse

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.painting import super_resolve as module
from simmim_bench.analysis.painting.super_resolve import (
    enlarged,
    predict_halves,
    reduced,
    super_resolve,
)
from simmim_bench.errors import BenchError
from tests.e2e.conftest import PRETRAIN


class Known:
    """Predicts masked patches from a known image, and spoils visible ones."""

    image_size, grid = (32, 32), (4, 4)

    def __init__(self, picture):
        self.picture = picture
        self.hidden = []

    def predict(self, images, patches):
        assert len(images) == len(patches)
        self.hidden.append(patches)
        where = patches.repeat(8, axis=1).repeat(8, axis=2)[..., None]
        return np.where(where, self.picture, 0).astype(np.uint8)


@pytest.fixture
def smooth():
    """A picture that holds detail which reduction loses: 32 px."""
    y, x = np.mgrid[:32, :32]
    grey = 128 + 50 * np.sin(x / 4) + 40 * ((x + y) % 2)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_every_patch_is_predicted_once_from_the_others(smooth):
    known = Known(smooth)
    assert (predict_halves(known, np.zeros_like(smooth), seed=0) == smooth).all()
    first, second = known.hidden
    assert (first ^ second).all()
    assert first.sum() == 8


def test_a_model_that_knows_the_detail_gives_the_picture_back(smooth):
    small = reduced(smooth, 2)
    error = np.abs(super_resolve(Known(smooth), small, scale=2).astype(int) - smooth)
    plain = np.abs(enlarged(small, 2).astype(int) - smooth)
    assert error.mean() < 0.25 * plain.mean()


def test_a_model_without_detail_gives_the_bicubic_image():
    small = np.random.default_rng(0).integers(60, 200, (16, 16, 3), dtype=np.uint8)
    flat = Known(np.full((32, 32, 3), 90, np.uint8))
    assert (super_resolve(flat, small, scale=2) == enlarged(small, 2)).all()


def test_steps_between_patches_are_no_detail():
    small = np.random.default_rng(0).integers(60, 200, (16, 16, 3), dtype=np.uint8)
    steps = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    uneven = Known(steps.repeat(8, axis=0).repeat(8, axis=1))
    assert (super_resolve(uneven, small, scale=2) == enlarged(small, 2)).all()


def test_bicubic_is_pillows(smooth):
    with Image.fromarray(smooth) as image:
        wanted = np.asarray(image.resize((96, 96), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(enlarged(smooth, 3) - wanted).max() <= 2


@pytest.mark.parametrize("scale", module.SCALES)
def test_any_size_is_enlarged(predictor, image, scale):
    large = super_resolve(predictor, image, scale=scale)
    assert large.shape == (50 * scale, 91 * scale, 3)
    assert (large == super_resolve(predictor, image, scale=scale)).all()


def test_other_scales_are_refused(predictor, image):
    with pytest.raises(BenchError, match=r"--scale must be 2 or 4 .* got 3"):
        super_resolve(predictor, image, scale=3)


def test_the_tool_writes_what_the_function_returns(checkpoint, predictor, files, image):
    def call(**changes):
        given = {"config": PRETRAIN, "checkpoint": checkpoint, "images": [files / "image.png"]}
        given |= {
            "scale": 2,
            "seed": 1,
            "out": files / "out",
            "image_size": None,
            "cfg_options": [],
            **changes,
        }
        module.run_super_resolve(argparse.Namespace(**given), Console(quiet=True))

    call()
    with Image.open(files / "out" / "image.png") as written:
        assert (np.asarray(written) == super_resolve(predictor, image, scale=2, seed=1)).all()
    with pytest.raises(BenchError, match=r"--scale must be 2 or 4 .* got 5"):
        call(scale=5, out=files / "other")
    assert not (files / "other").exists()
