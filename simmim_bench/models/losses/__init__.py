"""Losses of masked image modelling, one a file."""

from __future__ import annotations

from simmim_bench.models.losses.masked import (
    MaskedCrossEntropyLoss,
    MaskedL1Loss,
    MaskedL2Loss,
    MaskedLoss,
    MaskedSmoothL1Loss,
)

__all__ = [
    "MaskedCrossEntropyLoss",
    "MaskedL1Loss",
    "MaskedL2Loss",
    "MaskedLoss",
    "MaskedSmoothL1Loss",
]
