"""L2 on masked pixels, compared with L1 in SimMIM (https://arxiv.org/abs/2111.09886, 3.4)."""

from __future__ import annotations

from torch import Tensor

from simmim_bench.losses.base import MaskedRegressionLoss
from simmim_bench.registry import MODELS


@MODELS.register_module()
class MaskedL2Loss(MaskedRegressionLoss):
    """Mean squared difference over masked positions and their channels."""

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Squared difference."""
        return (pred - target).square()
