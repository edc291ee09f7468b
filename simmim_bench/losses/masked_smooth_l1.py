"""Smooth L1 on masked pixels, compared with L1 in SimMIM (https://arxiv.org/abs/2111.09886, 3.4).

Definition: Fast R-CNN (https://arxiv.org/abs/1504.08083, equation 3), with its knee at ``beta``.
"""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.losses.base import MaskedRegressionLoss
from simmim_bench.registry import MODELS


@MODELS.register_module()
class MaskedSmoothL1Loss(MaskedRegressionLoss):
    """Mean over masked positions of ``d**2 / (2 * beta)`` below ``beta``, else ``|d| - beta / 2``.

    Args:
        beta: Difference at which the parabola meets the line; in units of the target.
        region: See ``MaskedLoss``.

    Raises:
        ValueError: If ``beta`` is not positive, or the region is unknown.
    """

    def __init__(self, *, beta: float = 1.0, region: str = "masked") -> None:
        super().__init__(region=region)
        if not beta > 0:
            raise ValueError(f"beta {beta} is not positive; use MaskedL1Loss for 0")
        self.beta = beta

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Parabola near 0, line beyond."""
        return nn.functional.smooth_l1_loss(pred, target, beta=self.beta, reduction="none")
