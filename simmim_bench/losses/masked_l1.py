"""L1 on masked pixels, the loss of SimMIM (https://arxiv.org/abs/2111.09886, 3.4).

Reference: https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

from torch import Tensor

from simmim_bench.losses.base import MaskedRegressionLoss
from simmim_bench.registry import MODELS


@MODELS.register_module()
class MaskedL1Loss(MaskedRegressionLoss):
    """Mean absolute difference over masked positions and their channels."""

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Absolute difference."""
        return (pred - target).abs()
