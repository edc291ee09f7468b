"""Pictures of images of any bands: which are shown, and how they are stretched."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from simmim_bench.data.pixels import read_pixels
from simmim_bench.data.shown_bands import Stretch, chosen_bands, read_picture
from simmim_bench.errors import BenchError

TWELVE = np.random.default_rng(0).integers(0, 4096, (40, 50, 4)).astype(np.uint16)


def tiff(values):
    file = io.BytesIO()
    extra = ["unspecified"] * (values.shape[2] - 1)
    tifffile.imwrite(file, values, photometric="minisblack", planarconfig="contig",
                     extrasamples=extra)  # fmt: skip
    return file.getvalue()


@pytest.mark.parametrize(
    ("channels", "given", "expected"),
    [
        (4, None, (0, 1, 2)),
        (3, None, (0, 1, 2)),
        (2, None, (0, 0, 0)),
        (1, None, (0, 0, 0)),
        (4, (4, 3, 2), (3, 2, 1)),
        (4, [4], (3, 3, 3)),
        (16, 16, (15, 15, 15)),
    ],
)
def test_bands_count_from_one(channels, given, expected):
    assert chosen_bands(channels, given) == expected


@pytest.mark.parametrize("given", [(0, 1, 2), (3, 4, 5), (1, 2), (), 5, (1.0, 2, 3), (True, 2, 3)])
def test_bands_that_are_not_there(given):
    with pytest.raises(BenchError, match="picture_bands must be three bands, or one, from 1 to 4"):
        chosen_bands(4, given)


def test_twelve_bits_in_a_file_of_sixteen_are_not_black():
    picture = read_picture(tiff(TWELVE))
    assert picture.shape == (40, 50, 3)
    assert picture.dtype == np.uint8
    assert (picture.reshape(-1, 3).min(axis=0) == 0).all()
    assert (picture.reshape(-1, 3).max(axis=0) == 255).all()
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - 127.5).max() < 5


def test_the_chosen_bands_are_shown_linearly_between_their_percentiles():
    picture = read_picture(tiff(TWELVE), (4, 1, 4)).astype(float)
    assert (picture[..., 0] == picture[..., 2]).all()
    low, high = np.percentile(TWELVE[..., 3], (1, 99))
    expected = ((TWELVE[..., 3] - low) / (high - low)).clip(0, 1) * 255
    assert np.abs(picture[..., 0] - expected).max() <= 0.5


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "LA"])
def test_eight_bits_of_grey_and_colours_are_shown_as_they_are(mode):
    file = io.BytesIO()
    dark = (TWELVE[..., :3] // 64).astype(np.uint8)
    Image.fromarray(dark).convert(mode).save(file, "PNG")
    assert (read_picture(file.getvalue()) == read_pixels(file.getvalue())).all()


def test_one_value_is_shown_without_a_division_by_zero():
    assert (read_picture(tiff(np.full((20, 20, 4), 7, np.uint16))) == 0).all()


def test_all_images_of_a_picture_are_stretched_alike():
    images = np.stack([TWELVE / 4095, TWELVE / 4095 / 2])
    bright, dark = Stretch.of(images, (0, 1, 2)).apply(images)
    assert dark.max() < 140 < bright.max()
