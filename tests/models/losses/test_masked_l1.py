import pytest
import torch

from simmim_bench.models.losses.masked import MaskedL1Loss


def test_two_pixels_by_hand():
    pred = torch.zeros(1, 3, 2, 2)
    target = torch.zeros(1, 3, 2, 2)
    target[0, :, 0, 0] = torch.tensor([1.0, -2.0, 3.0])
    target[0, :, 1, 1] = 100.0
    mask = torch.tensor([[[True, True], [False, False]]])
    assert MaskedL1Loss()(pred, target, mask).item() == pytest.approx(6 / 2 / 3, rel=1e-5)


def test_nothing_masked_gives_zero():
    images = torch.randn(2, 3, 4, 4)
    loss = MaskedL1Loss()(images, images + 1, torch.zeros(2, 4, 4, dtype=torch.bool))
    assert loss.item() == 0


def test_half_precision_does_not_overflow():
    pred = torch.zeros(1, 3, 256, 256, dtype=torch.float16)
    mask = torch.ones(1, 256, 256, dtype=torch.bool)
    assert MaskedL1Loss()(pred, pred + 2, mask).item() == pytest.approx(2, rel=1e-4)


def test_shapes_that_disagree():
    images = torch.zeros(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"mask \(2, 2, 2\)"):
        MaskedL1Loss()(images, images, torch.zeros(2, 2, 2, dtype=torch.bool))
