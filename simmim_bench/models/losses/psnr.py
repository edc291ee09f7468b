"""Peak signal-to-noise ratio of the masked pixels as a loss.

It has the minimum of the L2 loss, but its gradient is divided by the error, so training does not
slow down as the error falls.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from simmim_bench.models.losses.masked import MaskedL2Loss
from simmim_bench.registry import MODELS


@MODELS.register_module()
class MaskedPSNRLoss(MaskedL2Loss):
    """Minus the PSNR in dB: ``-10 log10(data_range**2 / max(mse, floor))``.

    ``mse`` is the value of ``MaskedL2Loss``, the mean squared error over all masked positions of
    the batch. The loss is negative for small errors.

    Args:
        data_range: Largest minus smallest possible value of the target, in units of the target.
        floor: Smallest squared error that counts, in squared units of the target. Below it the
            loss is constant and its gradient 0, so that loss and gradient stay finite.
        region: See ``MaskedLoss``.

    Raises:
        ValueError: If ``data_range`` or ``floor`` is not positive and finite, or the region is
            unknown.
    """

    def __init__(self, *, data_range: float, floor: float, region: str = "masked") -> None:
        super().__init__(region=region)
        for name, value in (("data_range", data_range), ("floor", floor)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value}")
        self.data_range = data_range
        self.floor = floor

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """See ``MaskedLoss.forward``; 0 when nothing is masked and the region is ``'masked'``."""
        mse = super().forward(pred, target, mask)
        loss = 10 * torch.log10(mse.clamp(min=self.floor) / self.data_range**2)
        return loss if self.region == "all" else torch.where(mask.any(), loss, mse)
