"""The averaging rule that all losses share, the original SimMIM's.

Reference: https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

EPSILON = 1e-5  # of the original; keeps an all-visible batch at loss 0
REGIONS = ("masked", "all")


class MaskedLoss(nn.Module, ABC):
    """Sum of weighted errors / (sum of weights + 1e-5) / errors a position.

    Args:
        region: ``'masked'``: only masked positions count (prediction); ``'all'``: every
            position counts alike (reconstruction; SimMIM, section 4.1.4, compares the two).

    Raises:
        ValueError: If the region is another one.
    """

    def __init__(self, *, region: str = "masked") -> None:
        super().__init__()
        if region not in REGIONS:
            raise ValueError(f"unknown region {region!r}; known are: {', '.join(REGIONS)}")
        self.region = region

    @abstractmethod
    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """Error of every predicted value, (B, E, h, w), from float32 or finer predictions.

        Raises:
            ValueError: If the shapes disagree.
        """

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean error over the region, in float32 or finer.

        Args:
            pred: Prediction, (B, C, h, w).
            target: What to predict; shape and dtype as the loss says.
            mask: (B, h, w); Bool, True = masked, or float, the masked share of the position.

        Returns:
            Scalar; 0 when nothing is masked and the region is ``'masked'``.

        Raises:
            ValueError: If the shapes disagree.
        """
        if mask.shape != (pred.shape[0], *pred.shape[2:]):
            raise self.disagreement(pred, target, mask)
        dtype = torch.promote_types(pred.dtype, torch.float32)  # half sums would overflow
        errors = self.errors(pred.to(dtype), target)  # (B, E, h, w)
        weight = mask.to(dtype) if self.region == "masked" else torch.ones_like(mask, dtype=dtype)
        total = (errors * weight.unsqueeze(1)).sum()
        return total / (weight.sum() + EPSILON) / errors.shape[1]

    def disagreement(self, pred: Tensor, target: Tensor, mask: Tensor | None = None) -> ValueError:
        """Sentence for shapes that disagree."""
        masked = "" if mask is None else f", mask {tuple(mask.shape)}"
        return ValueError(
            f"shapes disagree: prediction {tuple(pred.shape)}, target {tuple(target.shape)}"
            f"{masked}; {type(self).__name__} expects {self.expected}"
        )

    expected = "(B, C, H, W) twice and (B, H, W)"


class MaskedRegressionLoss(MaskedLoss):
    """Error of each value from a target of the prediction's shape and scale."""

    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """See ``MaskedLoss.errors``; the target is float, (B, C, h, w)."""
        if pred.shape != target.shape:
            raise self.disagreement(pred, target)
        return self.difference(pred, target.to(pred.dtype))

    @abstractmethod
    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Element by element, same shape and dtype."""
