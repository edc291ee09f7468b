"""Every loss against its formula in numpy, by loops where that is plainest."""

import math

import numpy as np
import pytest
import torch

from simmim_bench.models.losses.masked import (
    MaskedCrossEntropyLoss,
    MaskedL1Loss,
    MaskedL2Loss,
    MaskedSmoothL1Loss,
)

BETA = 0.3
EPSILON = 1e-5
REGRESSION = {
    "l1": (MaskedL1Loss, {}, abs),
    "l2": (MaskedL2Loss, {}, lambda d: d * d),
    "smooth l1": (
        MaskedSmoothL1Loss,
        {"beta": BETA},
        lambda d: d * d / (2 * BETA) if abs(d) < BETA else abs(d) - BETA / 2,
    ),
}
SHARES = torch.tensor([[[0.25, 1.0], [0.0, 0.5]], [[0.0, 0.0], [1.0, 0.75]]])  # (2, 2, 2)


def mean_by_loops(errors, weights):
    """(B, E, h, w) and (B, h, w) -> the weighted mean over positions and their errors."""
    total = count = 0.0
    for batch, row, column in np.ndindex(weights.shape):
        weight = weights[batch, row, column]
        total += weight * errors[batch, :, row, column].mean()
        count += weight
    return total / (count + EPSILON)


@pytest.mark.parametrize("region", ["masked", "all"])
@pytest.mark.parametrize("name", REGRESSION)
def test_regression_is_the_weighted_mean(name, region):
    loss, arguments, formula = REGRESSION[name]
    generator = torch.Generator().manual_seed(0)
    pred, target = torch.randn(2, 2, 5, 2, 2, generator=generator)
    errors = np.vectorize(formula)((pred - target).double().numpy())
    weights = SHARES.numpy() if region == "masked" else np.ones((2, 2, 2))
    found = loss(**arguments, region=region)(pred, target, SHARES)
    assert found.item() == pytest.approx(mean_by_loops(errors, weights), rel=1e-6)


@pytest.mark.parametrize("region", ["masked", "all"])
def test_cross_entropy_by_loops(region):
    generator = torch.Generator().manual_seed(0)
    fields, classes = 3, 4
    pred = torch.randn(2, fields * classes, 2, 2, generator=generator)
    target = torch.randint(0, classes, (2, fields, 2, 2), generator=generator)
    errors = np.zeros((2, fields, 2, 2))
    for batch, field, row, column in np.ndindex(errors.shape):
        first = field * classes
        logits = pred[batch, first : first + classes, row, column].double().tolist()
        right = target[batch, field, row, column].item()
        errors[batch, field, row, column] = (
            math.log(sum(math.exp(logit) for logit in logits)) - logits[right]
        )
    weights = SHARES.numpy() if region == "masked" else np.ones((2, 2, 2))
    found = MaskedCrossEntropyLoss(region=region)(pred, target, SHARES)
    assert found.item() == pytest.approx(mean_by_loops(errors, weights), rel=1e-6)


@pytest.mark.parametrize("loss", [MaskedL1Loss, MaskedL2Loss, MaskedSmoothL1Loss])
def test_bool_and_float_masks_agree_and_visible_positions_do_not_enter(loss):
    pred, target = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    value = loss()(pred, target, mask)
    assert torch.equal(loss()(pred, target, mask.float()), value)
    shift = torch.where(mask.unsqueeze(1), 0.0, 9.0)
    assert torch.equal(loss()(pred + shift, target, mask), value)
    assert loss(region="all")(pred + shift, target, mask) > 2 * loss(region="all")(
        pred, target, mask
    )


@pytest.mark.parametrize("loss", [MaskedL1Loss, MaskedL2Loss, MaskedSmoothL1Loss])
def test_nothing_masked_gives_zero_and_zero_gradients(loss):
    pred = torch.randn(1, 3, 4, 4, requires_grad=True)
    value = loss()(pred, torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert not pred.grad.any()


def test_cross_entropy_of_nothing_masked_and_in_half_precision():
    pred = torch.zeros(1, 8, 128, 128, dtype=torch.float16)
    target = torch.zeros(1, 1, 128, 128, dtype=torch.int64)
    mask = torch.zeros(1, 128, 128, dtype=torch.bool)
    assert MaskedCrossEntropyLoss()(pred, target, mask).item() == 0
    found = MaskedCrossEntropyLoss()(pred, target, ~mask)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(math.log(8), rel=1e-5)


def test_cross_entropy_refuses_colours_and_channels_that_are_no_classes():
    pred, mask = torch.zeros(1, 6, 2, 2), torch.ones(1, 2, 2)
    with pytest.raises(
        ValueError, match=r"must be class indices \(torch.int64\), got torch.float32"
    ):
        MaskedCrossEntropyLoss()(pred, torch.zeros(1, 3, 2, 2), mask)
    with pytest.raises(ValueError, match=r"prediction \(1, 6, 2, 2\), target \(1, 4, 2, 2\)"):
        MaskedCrossEntropyLoss()(pred, torch.zeros(1, 4, 2, 2, dtype=torch.int64), mask)


def test_values_that_no_loss_takes():
    with pytest.raises(ValueError, match="unknown region 'visible'; known are: masked, all"):
        MaskedL1Loss(region="visible")
    with pytest.raises(ValueError, match="beta must be positive, got 0"):
        MaskedSmoothL1Loss(beta=0)
