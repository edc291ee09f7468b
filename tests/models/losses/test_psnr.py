"""The PSNR loss against its formula in numpy, scikit-image and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from simmim_bench.models.losses.masked import MaskedL2Loss
from simmim_bench.models.losses.psnr import MaskedPSNRLoss

LIMITS = {"data_range": 4.4, "floor": 1e-4}


def images(seed=0):
    pred, target = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    mask = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(seed + 1)) < 0.6
    return pred, target, mask


def test_minus_the_psnr_of_the_masked_pixels():
    pred, target, mask = images()
    of_mask = mask.unsqueeze(1).expand_as(pred)
    first, second = pred[of_mask].double(), target[of_mask].double()
    found = MaskedPSNRLoss(**LIMITS)(pred, target, mask).item()
    by_hand = -10 * math.log10(4.4**2 / ((first - second) ** 2).mean().item())
    assert found == pytest.approx(by_hand, rel=1e-5)
    of_skimage = peak_signal_noise_ratio(second.numpy(), first.numpy(), data_range=4.4)
    assert found == pytest.approx(-of_skimage, rel=1e-5)
    of_torchmetrics = torchmetrics_psnr(first, second, data_range=4.4)
    assert found == pytest.approx(-of_torchmetrics.item(), rel=1e-5)


def test_all_pixels_of_an_image_as_scikit_image():
    from skimage.data import astronaut

    image = astronaut()[:64, :64].astype(np.float64) / 255
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 0.1, image.shape), 0, 1)
    pred, target = (torch.from_numpy(i).permute(2, 0, 1)[None] for i in (noisy, image))
    loss = MaskedPSNRLoss(data_range=1.0, floor=1e-8, region="all")
    found = loss(pred, target, torch.zeros(1, 64, 64, dtype=torch.bool))
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(-peak_signal_noise_ratio(image, noisy), rel=1e-6)


def test_the_gradient_is_that_of_l2_divided_by_the_error():
    pred, target, mask = images()
    pred.requires_grad_(True)
    mse = MaskedL2Loss()(pred, target, mask)
    [of_l2] = torch.autograd.grad(mse, pred)
    [found] = torch.autograd.grad(MaskedPSNRLoss(**LIMITS)(pred, target, mask), pred)
    assert torch.allclose(found, 10 / math.log(10) * of_l2 / mse, rtol=1e-5, atol=0)
    assert torch.autograd.gradcheck(
        lambda values: MaskedPSNRLoss(**LIMITS)(values, target.double(), mask),
        pred.detach().double().requires_grad_(True),
    )


@pytest.mark.parametrize("error", [0.0, 1e-30, 0.0099])
def test_an_error_below_the_floor_is_constant_and_passes_finite_gradients(error):
    _, target, mask = images()
    pred = (target + error).requires_grad_(True)
    value = MaskedPSNRLoss(**LIMITS)(pred, target, mask)
    value.backward()
    assert value.item() == pytest.approx(-10 * math.log10(4.4**2 / 1e-4))
    assert not pred.grad.any()


def test_nothing_masked_gives_zero_and_zero_gradients():
    pred, target, mask = images()
    pred.requires_grad_(True)
    value = MaskedPSNRLoss(**LIMITS)(pred, target, torch.zeros_like(mask))
    value.backward()
    assert value.item() == 0
    assert not pred.grad.any()


def test_visible_pixels_do_not_count_and_masked_shares_do():
    pred, target, mask = images()
    loss = MaskedPSNRLoss(**LIMITS)
    changed = torch.where(mask.unsqueeze(1), pred, pred + 7)
    assert torch.equal(loss(pred, target, mask), loss(changed, target, mask))
    shares = mask * 0.5  # of a target coarser than the mask's tokens
    assert loss(pred, target, shares).item() == pytest.approx(loss(pred, target, mask).item())


def test_half_precision_does_not_overflow():
    pred = torch.zeros(1, 3, 256, 256, dtype=torch.float16)
    found = MaskedPSNRLoss(data_range=2, floor=1e-4)(pred, pred + 2, torch.ones(1, 256, 256))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"data_range": 0}, "data_range must be positive and finite, got 0"),
        ({"floor": -1}, "floor must be positive and finite, got -1"),
        ({"floor": math.nan}, "floor must be positive and finite, got nan"),
        ({"region": "visible"}, "unknown region 'visible'"),
    ],
)
def test_values_out_of_range(options, said):
    with pytest.raises(ValueError, match=said):
        MaskedPSNRLoss(**{**LIMITS, **options})


def test_limits_have_no_default():
    with pytest.raises(TypeError, match=r"'data_range' and 'floor'"):
        MaskedPSNRLoss()
