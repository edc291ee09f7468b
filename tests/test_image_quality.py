"""PSNR and SSIM of the masked part against formulas of other libraries."""

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from simmim_bench.reconstruction import masked_psnr, masked_ssim


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 32, 48, generator=generator)
    prediction = (image + 0.2 * torch.randn(2, 3, 32, 48, generator=generator)).clamp(0, 1)
    mask = torch.zeros(2, 32, 48, dtype=torch.bool)
    mask[0, :16] = True
    mask[1, 8:24, 16:40] = True
    return prediction, image, mask


def test_psnr_is_that_of_the_masked_pixels_alone(pair):
    prediction, image, mask = pair
    for number, value in enumerate(masked_psnr(prediction, image, mask)):
        hidden = mask[number].expand(3, -1, -1)
        error = (prediction[number][hidden] - image[number][hidden]).double().square().mean()
        assert float(value) == pytest.approx(10 * math.log10(1 / float(error)), rel=1e-5)


def test_visible_pixels_change_neither(pair):
    prediction, image, mask = pair
    other = torch.where(mask.unsqueeze(1), prediction, torch.zeros_like(image))
    assert torch.equal(masked_psnr(prediction, image, mask), masked_psnr(other, image, mask))
    assert torch.equal(masked_ssim(prediction, image, mask), masked_ssim(other, image, mask))


def test_ssim_is_the_mean_of_the_local_map_over_masked_pixels(pair):
    prediction, image, mask = pair
    pasted = torch.where(mask.unsqueeze(1), prediction, image)
    for number, value in enumerate(masked_ssim(prediction, image, mask)):
        _, local = structural_similarity(
            image[number].numpy(), pasted[number].numpy(), channel_axis=0, data_range=1.0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
        )  # fmt: skip
        inner = mask[number].clone()
        inner[:5], inner[-5:], inner[:, :5], inner[:, -5:] = False, False, False, False
        whole = local.mean(0)[mask[number].numpy()].mean()
        assert float(value) == pytest.approx(whole, abs=0.01)  # borders are padded differently
    inside = torch.zeros_like(mask)
    inside[:, 8:24, 8:40] = True
    for number, value in enumerate(masked_ssim(prediction, image, inside)):
        pasted = torch.where(inside[number], prediction[number], image[number])
        _, local = structural_similarity(
            image[number].numpy(), pasted.numpy(), channel_axis=0, data_range=1.0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
        )  # fmt: skip
        assert float(value) == pytest.approx(local[:, 8:24, 8:40].mean(), abs=1e-4)


def test_equal_images_are_perfect(pair):
    _, image, mask = pair
    assert torch.isinf(masked_psnr(image, image, mask)).all()
    assert masked_ssim(image, image, mask).tolist() == pytest.approx([1, 1], abs=1e-6)


def test_nothing_masked_has_no_figure(pair):
    prediction, image, mask = pair
    nothing = torch.zeros_like(mask)
    assert torch.isnan(masked_psnr(prediction, image, nothing)).all()
    assert torch.isnan(masked_ssim(prediction, image, nothing)).all()
