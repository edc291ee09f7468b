"""Metrics of predicted images against independent formulas."""

import numpy as np
import pytest
import torch

from simmim_bench.analysis.painting.metrics import compare, feature_similarity


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)


def test_equal_images_have_the_highest_metrics(images):
    everywhere = np.ones(images.shape[:3], dtype=bool)
    assert compare(images, images, everywhere) == {
        "psnr": 100,
        "ssim": pytest.approx(100, abs=1e-3),
        "features": pytest.approx(100, abs=1e-3),
    }


def test_psnr_is_the_mean_over_images_of_the_marked_pixels(images):
    masks = np.zeros(images.shape[:3], dtype=bool)
    masks[:, 5:12, 3:20] = True
    painted = images // 2
    painted[~masks] = 0
    errors = [
        np.mean((painted[n][masks[n]] / 255 - images[n][masks[n]] / 255) ** 2) for n in range(2)
    ]
    wanted = np.mean([10 * np.log10(1 / error) for error in errors])
    assert compare(painted, images, masks)["psnr"] == pytest.approx(wanted, rel=1e-4)


def test_features_fall_as_an_image_is_spoilt(images):
    true = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    noise = torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    values = [
        float(feature_similarity(true, (true + spread * noise).clamp(0, 1)).mean())
        for spread in (0, 0.05, 0.2, 0.8)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1)
    assert len(set(values)) == 4


def test_features_are_one_layer_after_another(images):
    """The first layer by hand: the cosine of rectified convolutions, position by position."""
    kernel = np.random.default_rng(0).normal(0, np.sqrt(2 / 27), (32, 3, 3, 3))
    from simmim_bench.analysis.painting.metrics import _features

    true = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    first = next(iter(_features(true)))
    patch = images[1][4:7, 9:12].transpose(2, 0, 1) / 255 * 2 - 1
    wanted = np.maximum((kernel * patch).sum(axis=(1, 2, 3)), 0)
    assert first[1, :, 5, 10].numpy() == pytest.approx(wanted, abs=1e-5)
