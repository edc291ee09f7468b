"""Each tile of a reconstruction grid, pixel by pixel."""

import numpy as np
import pytest
import torch
from PIL import Image

from simmim_bench.reconstruction import GAP, TITLES, denormalised, save_png

MEAN, STD = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 16, 24))).float()


@pytest.fixture
def painted(pixels):
    normal = (pixels - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)
    mask = torch.zeros(2, 16, 24, dtype=torch.bool)
    mask[:, :8] = True
    shown = {"images": normal, "reconstruction": normal.flip(3), "mask": mask}
    return denormalised(shown, mean=MEAN, std=STD)


def test_every_tile_shows_the_pixels_it_names(painted, pixels):
    grid = painted.grid()
    assert grid.shape == (2 * (16 + GAP), 4 * (24 + GAP), 3)
    for row in range(2):
        top = row * (16 + GAP)
        tiles = [
            grid[top : top + 16, column * (24 + GAP) :][:, :24].astype(int) for column in range(4)
        ]
        image = pixels[row].permute(1, 2, 0).numpy()
        flipped = image[:, ::-1]
        assert (tiles[0] == image).all()
        assert np.abs(tiles[1][:8] - 127.5).max() < 1
        assert (tiles[1][8:] == image[8:]).all()
        assert (tiles[2] == flipped).all()
        assert (tiles[3][:8] == flipped[:8]).all()
        assert (tiles[3][8:] == image[8:]).all()
    assert (grid[16 : 16 + GAP] == 255).all()


def test_what_is_outside_the_range_of_colours_is_clipped():
    shown = {
        "images": torch.zeros(1, 3, 16, 16),
        "reconstruction": torch.full((1, 3, 16, 16), 100.0),
        "mask": torch.ones(1, 16, 16, dtype=torch.bool),
    }
    grid = denormalised(shown, mean=MEAN, std=STD).grid()
    assert (grid[:16, 2 * (16 + GAP) :][:, :16] == 255).all()


def test_the_picture_is_enlarged_and_titled(painted, tmp_path):
    grid = painted.grid()
    save_png(grid, tmp_path / "plain.png", scale=2)
    with Image.open(tmp_path / "plain.png") as plain:
        assert plain.size == (2 * grid.shape[1], 2 * grid.shape[0])
        assert (np.asarray(plain)[::2, ::2] == grid).all()
    save_png(grid, tmp_path / "titled.png", scale=2, titles=TITLES)
    with Image.open(tmp_path / "titled.png") as titled:
        above = titled.height - 2 * grid.shape[0]
        assert above > 0
        assert (np.asarray(titled)[above::2, ::2] == grid).all()
        assert (np.asarray(titled)[:above] < 128).any()  # words


def banded(channels):
    """Images of dark bands, as of 12 bits in files of 16, and a prediction of half of them."""
    values = torch.from_numpy(np.random.default_rng(0).random((2, channels, 16, 24)) * 255 / 16)
    shown = {"images": values.float(), "reconstruction": values.float() / 2,
             "mask": torch.ones(2, 16, 24, dtype=torch.bool)}  # fmt: skip
    return denormalised(shown, mean=torch.zeros(channels), std=torch.ones(channels))


@pytest.mark.parametrize(("channels", "chosen"), [(1, (0, 0, 0)), (4, (3, 1, 0)), (16, (15, 0, 2))])
def test_bands_are_chosen_and_stretched_as_their_images(channels, chosen):
    painted = banded(channels)
    grid = painted.grid(chosen).astype(float)
    image, prediction = grid[:16, :24], grid[:16, 2 * (24 + GAP) :][:, :24]
    assert image.min() == 0
    assert image.max() == 255
    values = painted.images.numpy()
    for place, band in enumerate(chosen):
        low, high = np.percentile(values[:, band], (1, 99))
        for shown, given in ((image, values[0]), (prediction, values[0] / 2)):
            expected = ((given[band] - low) / (high - low)).clip(0, 1) * 255
            assert np.abs(shown[..., place] - expected).max() <= 1


def test_quality_is_measured_over_all_bands():
    painted = banded(4)
    error = (painted.images / 2).square().flatten(1).mean(dim=1)
    assert torch.allclose(painted.psnr(), -10 * error.log10(), atol=1e-3)
    worse = painted.reconstruction.clone()
    worse[:, 3] += 0.5  # the band that no picture shows
    changed = type(painted)(painted.images, worse, painted.mask)
    assert (changed.psnr() < painted.psnr() - 3).all()
    assert (changed.ssim() < painted.ssim()).all()
