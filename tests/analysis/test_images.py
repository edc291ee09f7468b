"""Images and masks as programs write them: with alpha, of 16 bits, turned by a tag."""

import numpy as np
import pytest
from PIL import Image

from simmim_bench.analysis.images import read_image, read_mask

ORIENTATION = 0x0112  # of EXIF


@pytest.fixture
def path(tmp_path):
    return tmp_path / "picture.png"


@pytest.fixture
def wanted():
    drawn = np.zeros((20, 30), dtype=bool)
    drawn[4:9, 10:22] = True
    return drawn


def test_a_stroke_on_transparent_white_is_the_mask(path, wanted):
    """What most programs save when a layer is drawn upon."""
    pixels = np.full((20, 30, 4), 255, dtype=np.uint8)
    pixels[..., 3] = np.where(wanted, 255, 0)
    Image.fromarray(pixels).save(path)
    assert (read_mask(path) == wanted).all()


def test_white_counts_from_half_and_only_where_it_is_opaque(path):
    greys = np.array([[127, 128, 255, 255, 255]], dtype=np.uint8)
    alpha = np.array([[255, 255, 255, 128, 127]], dtype=np.uint8)
    Image.fromarray(np.stack([greys, alpha], axis=2)).save(path)
    assert read_mask(path).tolist() == [[False, True, True, True, False]]


def test_a_palette_and_a_transparent_colour_have_alpha(path, wanted):
    indices = Image.fromarray(np.where(wanted, 1, 0).astype(np.uint8), "P")
    indices.putpalette([255, 255, 255, 255, 255, 255])
    indices.save(path, transparency=0)
    assert (read_mask(path) == wanted).all()
    Image.fromarray(np.where(wanted, 255, 200).astype(np.uint8)).save(path, transparency=200)
    assert (read_mask(path) == wanted).all()


@pytest.mark.parametrize(("kind", "mode"), [(np.uint16, "I;16"), (np.int32, "I")])
def test_masks_of_sixteen_bits_are_scaled(tmp_path, kind, mode):
    path = tmp_path / "mask.tiff"
    Image.fromarray(np.array([[0, 300, 32767, 32768, 65535]], dtype=kind)).save(path)
    with Image.open(path) as opened:
        assert opened.mode == mode
    assert read_mask(path).tolist() == [[False, False, False, True, True]]


def test_an_image_of_sixteen_bits_keeps_its_greys(path):
    greys = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    Image.fromarray(greys).save(path)
    assert (read_image(path) == np.rint(greys / 257)[..., None]).all()


def test_image_and_mask_are_turned_as_their_tags_say(tmp_path, wanted):
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    tag = Image.Exif()
    tag[ORIENTATION] = 6  # a quarter clockwise
    Image.fromarray(photo).save(tmp_path / "photo.png", exif=tag)
    Image.fromarray(wanted).save(tmp_path / "mask.png", exif=tag)
    assert (read_image(tmp_path / "photo.png", upright=True) == np.rot90(photo, -1)).all()
    assert (read_image(tmp_path / "photo.png") == photo).all()  # as in training
    assert (read_mask(tmp_path / "mask.png") == np.rot90(wanted, -1)).all()
