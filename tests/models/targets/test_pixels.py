"""Pixel targets against formulas in numpy, and back to images."""

import numpy as np
import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.models.targets.colours import ColourBins
from simmim_bench.models.targets.rgb import (
    DownsampledRGB,
    NormalisedRGB,
    PatchNormalisedRGB,
    WindowNormalisedRGB,
)

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SCALE = {"mean": MEAN, "std": STD}


@pytest.fixture
def pixels():
    """Whole numbers of 0 to 255, every one among them."""
    drawn = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 48))
    drawn[0, :, :8, :32] = np.arange(256).reshape(8, 32)
    return drawn


@pytest.fixture
def images(pixels):
    scale = [np.array(value).reshape(1, 3, 1, 1) for value in (MEAN, STD)]
    return torch.from_numpy((pixels - scale[0]) / scale[1]).float()


def test_rgb_is_the_image_itself(images):
    target = NormalisedRGB(**SCALE)
    assert (target.out_channels, target.stride) == (3, 1)
    assert torch.equal(target(images), images)
    assert torch.equal(target.to_images(target(images), images), images)


@pytest.mark.parametrize("stride", [1, 2, 8, 16])
def test_downsampled_is_the_mean_of_each_square(images, stride):
    target = DownsampledRGB(stride=stride)
    found = target(images)
    assert target.stride == stride
    assert found.shape == (2, 3, 32 // stride, 48 // stride)
    for row, column in np.ndindex(*found.shape[2:]):
        rows = slice(row * stride, (row + 1) * stride)
        columns = slice(column * stride, (column + 1) * stride)
        wanted = images[..., rows, columns].double().numpy().mean(axis=(2, 3))
        np.testing.assert_allclose(found[..., row, column].numpy(), wanted, atol=1e-5)
        shown = target.to_images(found, images)[..., rows, columns]
        assert torch.equal(shown, found[..., row, column, None, None].expand_as(shown))


def test_patches_are_normalised_over_pixels_and_channels(images):
    found = PatchNormalisedRGB(patch_size=16)(images)
    for batch, row, column in np.ndindex(2, 2, 3):
        rows, columns = slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16)
        patch = images[batch, :, rows, columns].double().numpy()
        wanted = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 1e-6)
        np.testing.assert_allclose(found[batch, :, rows, columns].numpy(), wanted, atol=1e-5)


def test_window_normalisation_by_loops(images):
    size, half = 7, 3
    found = WindowNormalisedRGB(window_size=size)(images)
    values = images.double().numpy()
    for batch, channel, row, column in [
        (0, 0, 0, 0),
        (1, 2, 31, 47),
        (0, 1, 16, 20),
        (1, 0, 2, 40),
    ]:
        window = values[
            batch,
            channel,
            max(row - half, 0) : row + half + 1,
            max(column - half, 0) : column + half + 1,
        ]
        value = values[batch, channel, row, column]
        wanted = (value - window.mean()) / np.sqrt(window.var(ddof=1) + 1e-6)
        assert found[batch, channel, row, column].item() == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    "target", [PatchNormalisedRGB(patch_size=8), WindowNormalisedRGB(window_size=15)]
)
def test_a_normalised_target_goes_back_to_the_image(images, target):
    flat = images.clone()
    flat[0, :, :16, :16] = 0.5  # no variance
    for batch in (images, flat):
        shown = target.to_images(target(batch), batch)
        assert target(batch).isfinite().all()
        assert torch.allclose(shown, batch, atol=1e-4)


@pytest.mark.parametrize("bins", [2, 8, 256])
def test_bins_are_equal_parts_of_0_to_255(pixels, images, bins):
    target = ColourBins(bins=bins, **SCALE)
    found = target(images)
    assert target.out_channels == 3 * bins
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found.numpy(), pixels // (256 // bins))


@pytest.mark.parametrize("bins", [8, 256])
def test_bins_go_back_to_the_centre_of_their_levels(pixels, images, bins):
    target = ColourBins(bins=bins, **SCALE)
    logits = torch.nn.functional.one_hot(target(images), bins).movedim(-1, 2).flatten(1, 2)
    shown = target.to_images(logits.float(), images)
    levels = shown.numpy() * np.array(STD).reshape(1, 3, 1, 1) + np.array(MEAN).reshape(1, 3, 1, 1)
    width = 256 // bins
    first = pixels // width * width
    np.testing.assert_allclose(levels, first + (width - 1) / 2, atol=1e-3)
    assert np.abs(levels - pixels).max() <= (width - 1) / 2 + 1e-3


def test_colours_beyond_the_range_are_in_the_outer_bins():
    images = torch.tensor([-5.0, 9.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    found = ColourBins(bins=8, **SCALE)(images)
    assert found[..., 0].tolist() == [[[0], [0], [0]]]
    assert found[..., 1].tolist() == [[[7], [7], [7]]]


def test_targets_keep_nothing_in_the_state_dict():
    for target in (NormalisedRGB(**SCALE), ColourBins(bins=8, **SCALE), DownsampledRGB(stride=4)):
        assert target.state_dict() == {}
        assert list(target.parameters()) == []


def test_values_that_do_not_fit(images):
    with pytest.raises(ValueError, match="32 x 48 is not divisible by target stride 5"):
        DownsampledRGB(stride=5)(images)
    with pytest.raises(ValueError, match="32 x 48 is not divisible by patch size 32"):
        PatchNormalisedRGB(patch_size=32)(images)
    with pytest.raises(ValueError, match="stride must be >= 1 pixel, got 0"):
        DownsampledRGB(stride=0)
    with pytest.raises(ValueError, match="patch_size must be >= 1, got 0"):
        PatchNormalisedRGB(patch_size=0)
    with pytest.raises(ValueError, match="window_size must be odd and >= 3, got 8"):
        WindowNormalisedRGB(window_size=8)
    with pytest.raises(ValueError, match=r"bins must be in \[2, 256\], got 300"):
        ColourBins(bins=300, **SCALE)
    with pytest.raises(BenchError, match="ColourBins needs the normalisation of the images"):
        ColourBins(bins=8)
