"""Losses on the masked positions of a target (SimMIM, https://arxiv.org/abs/2111.09886, 3.4).

All of them average errors in the same way, that of the original:
https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from simmim_bench.registry import MODELS

EPSILON = 1e-5  # as in the original; makes the loss 0 when nothing is masked
REGIONS = ("masked", "all")


class MaskedLoss(nn.Module, ABC):
    """Sum of weighted errors / (sum of weights + 1e-5) / number of errors of a position.

    Args:
        region: ``'masked'``: only masked positions count (prediction); ``'all'``: all positions
            count (reconstruction). SimMIM, section 4.1.4, compares the two.

    Raises:
        ValueError: If the region is unknown.
    """

    expected: ClassVar[str] = "(B, C, H, W) twice and (B, H, W)"
    """Shapes of prediction, target and mask, for error messages."""

    def __init__(self, *, region: str = "masked") -> None:
        super().__init__()
        if region not in REGIONS:
            raise ValueError(f"unknown region {region!r}; known are: {', '.join(REGIONS)}")
        self.region = region

    @abstractmethod
    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """Errors of all predicted values.

        Args:
            pred: Prediction, (B, C, h, w), float32 or float64.
            target: Target, (B, ., h, w).

        Returns:
            (B, E, h, w).

        Raises:
            ValueError: If the shapes disagree.
        """

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean error over the region, in float32 or float64.

        Args:
            pred: Prediction, (B, C, h, w).
            target: What to predict; shape and dtype depend on the loss.
            mask: (B, h, w); Bool, True = masked, or float, the masked share of each position.

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
        """The error to raise when shapes disagree."""
        masked = "" if mask is None else f", mask {tuple(mask.shape)}"
        return ValueError(
            f"shapes disagree: prediction {tuple(pred.shape)}, target {tuple(target.shape)}"
            f"{masked}; {type(self).__name__} expects {self.expected}"
        )


class MaskedRegressionLoss(MaskedLoss):
    """Base of losses whose target has the shape and scale of the prediction."""

    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """See ``MaskedLoss.errors``; the target is float, (B, C, h, w)."""
        if pred.shape != target.shape:
            raise self.disagreement(pred, target)
        return self.difference(pred, target.to(pred.dtype))

    @abstractmethod
    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Error of each element, same shape and dtype."""


@MODELS.register_module()
class MaskedL1Loss(MaskedRegressionLoss):
    """Mean absolute difference over masked positions and their channels, SimMIM's loss."""

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Absolute difference."""
        return (pred - target).abs()


@MODELS.register_module()
class MaskedL2Loss(MaskedRegressionLoss):
    """Mean squared difference over masked positions and their channels."""

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Squared difference."""
        return (pred - target).square()


@MODELS.register_module()
class MaskedSmoothL1Loss(MaskedRegressionLoss):
    """Mean over masked positions of ``d**2 / (2 * beta)`` below ``beta``, else ``|d| - beta / 2``.

    Fast R-CNN (https://arxiv.org/abs/1504.08083, equation 3) has ``beta = 1``.

    Args:
        beta: Difference at which the parabola meets the line, in units of the target.
        region: See ``MaskedLoss``.

    Raises:
        ValueError: If ``beta`` is not positive, or the region is unknown.
    """

    def __init__(self, *, beta: float = 1.0, region: str = "masked") -> None:
        super().__init__(region=region)
        if not beta > 0:
            raise ValueError(f"beta must be positive, got {beta}; use MaskedL1Loss for 0")
        self.beta = beta

    def difference(self, pred: Tensor, target: Tensor) -> Tensor:
        """Parabola below ``beta``, line above."""
        return nn.functional.smooth_l1_loss(pred, target, beta=self.beta, reduction="none")


@MODELS.register_module()
class MaskedCrossEntropyLoss(MaskedLoss):
    """Mean cross-entropy over masked positions and their fields, for colours as classes.

    A field is one choice among classes: bins have three fields at each position (R, G, B),
    clusters one. The channels of the prediction are the logits of field 0, then of field 1, and
    so on.
    """

    expected = "prediction (B, fields * classes, H, W), Long target (B, fields, H, W), (B, H, W)"

    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """See ``MaskedLoss.errors``; the target is Long, (B, fields, h, w), class indices."""
        fields = target.shape[1]
        same_grid = target.shape == (pred.shape[0], fields, *pred.shape[2:])
        if not same_grid or pred.shape[1] % fields:
            raise self.disagreement(pred, target)
        if target.dtype != torch.int64:
            raise ValueError(
                f"target must be class indices (torch.int64), got {target.dtype}; use ColourBins "
                "or ColourClusters as the target, or another loss"
            )
        logits = pred.unflatten(1, (fields, -1)).transpose(1, 2)  # (B, classes, fields, h, w)
        return nn.functional.cross_entropy(logits, target, reduction="none")
