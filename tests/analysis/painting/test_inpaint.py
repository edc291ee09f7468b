"""What inpainting changes, what it must not know, and what it refuses."""

import argparse
import io

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.painting.inpaint import inpaint, pixels_of, run_inpaint, touched_patches
from simmim_bench.errors import BenchError
from tests.e2e.conftest import PRETRAIN


def test_only_marked_pixels_change(predictor, image, mask):
    painted = inpaint(predictor, image, mask)
    assert painted.shape == image.shape
    assert (painted[~mask] == image[~mask]).all()
    assert (painted[mask] != image[mask]).any(axis=1).mean() > 0.9


def test_what_lies_under_the_mark_has_no_influence(predictor, image, mask):
    other = image.copy()
    other[mask] = 255 - other[mask]
    assert (inpaint(predictor, other, mask) == inpaint(predictor, image, mask)).all()
    other[~mask] = 255 - other[~mask]
    assert (inpaint(predictor, other, mask)[mask] != inpaint(predictor, image, mask)[mask]).any()


def test_at_the_models_size_it_is_the_models_prediction(predictor):
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), dtype=bool)
    mask[16:32, 32:64] = True
    painted = inpaint(predictor, image, mask)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    normal = ((torch.from_numpy(image).float() - mean) / std).permute(2, 0, 1)[None]
    tokens = torch.zeros(1, 16, 16, dtype=torch.bool)
    tokens[:, 4:8, 8:16] = True
    normal[:, :, 16:32, 32:64] = 0  # hidden tokens are replaced, so their pixels are free
    with torch.no_grad():
        predicted = predictor.model.decoder(predictor.model.encode(normal, tokens))[0]
    expected = (predicted.permute(1, 2, 0) * std + mean).clamp(0, 255).round().numpy()
    assert np.abs(painted[mask] - expected[mask]).max() <= 1


def test_patches_are_those_that_hold_a_marked_pixel(mask):
    patches = touched_patches(mask, (4, 4))
    by_hand = np.zeros((4, 4), dtype=bool)
    for y, x in np.argwhere(mask):
        by_hand[int(y / 50 * 4), int(x / 91 * 4)] = True
    assert (patches == by_hand).all()
    whole = pixels_of(patches, (50, 91))
    assert (whole >= mask).all()
    assert (touched_patches(whole, (4, 4)) == patches).all()


def test_random_patches_are_of_the_ratio_and_the_seed(predictor):
    drawn = predictor.random_patches(ratio=0.25, seed=(0, 1))
    assert drawn.shape == (4, 4)
    assert drawn.sum() == 4
    assert (drawn == predictor.random_patches(ratio=0.25, seed=(0, 1))).all()
    assert (drawn != predictor.random_patches(ratio=0.25, seed=(1, 1))).any()


def call(checkpoint, files, **changes):
    given = {
        "config": str(PRETRAIN), "checkpoint": checkpoint, "images": [files / "image.png"],
        "mask": files / "mask.png", "ratio": 0.6, "seed": 0, "out": files / "out",
        "image_size": None, "cfg_options": [], **changes,
    }  # fmt: skip
    said = io.StringIO()
    run_inpaint(argparse.Namespace(**given), Console(file=said))
    return said.getvalue()


def test_the_tool_writes_what_inpainting_gives(checkpoint, predictor, files, image, mask):
    assert "image.png" in call(checkpoint, files)
    with Image.open(files / "out" / "image.png") as written:
        assert (np.asarray(written) == inpaint(predictor, image, mask)).all()


def test_without_a_mask_the_same_seed_hides_the_same(checkpoint, files, image):
    def changed(seed):
        call(checkpoint, files, mask=None, seed=seed, ratio=0.25)
        with Image.open(files / "out" / "image.png") as written:
            return (np.asarray(written) != image).any(axis=2)

    first = changed(0)
    assert 0.15 < first.mean() <= 0.3
    assert (changed(0) == first).all()
    assert (changed(1) != first).any()


@pytest.fixture
def refused(checkpoint, files):
    def refuse(**changes):
        with pytest.raises(BenchError) as error:
            call(changes.pop("checkpoint", checkpoint), files, **changes)
        assert not (files / "out").exists()
        return str(error.value)

    return refuse


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (np.zeros((50, 91)), "is empty; draw white"),
        (np.ones((50, 91)), "touches all 16 patches"),
        (np.ones((91, 50)), "is 50x91, the image is 91x50"),
    ],
)
def test_masks_that_leave_nothing_to_do_are_refused(refused, files, drawn, said):
    Image.fromarray((drawn * 255).astype(np.uint8)).save(files / "mask.png")
    assert said in refused()


def test_other_bad_input_is_refused(refused, files, checkpoint):
    (files / "words.png").write_text("no image")
    assert "cannot be read as an image" in refused(mask=files / "words.png")
    assert "cannot be read as an image" in refused(images=[files / "words.png"])
    assert "does not exist" in refused(mask=files / "none.png")
    assert "--ratio must be between 0 and 1, got 1.5" in refused(mask=None, ratio=1.5)
    other = files / "other.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, other)
    assert "does not fit" in refused(checkpoint=other)
    Image.new("RGB", (5, 90)).save(files / "thin.png")
    assert "at least 11 pixels" in refused(images=[files / "thin.png"])


def test_a_result_never_replaces_what_was_given(checkpoint, files, image):
    with pytest.raises(BenchError, match="is one of the given images"):
        call(checkpoint, files, out=files)
    with Image.open(files / "image.png") as kept:
        assert (np.asarray(kept) == image).all()
