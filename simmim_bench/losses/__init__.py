"""Losses of masked image modelling, one a file."""

from simmim_bench.losses.base import MaskedLoss
from simmim_bench.losses.masked_cross_entropy import MaskedCrossEntropyLoss
from simmim_bench.losses.masked_l1 import MaskedL1Loss
from simmim_bench.losses.masked_l2 import MaskedL2Loss
from simmim_bench.losses.masked_smooth_l1 import MaskedSmoothL1Loss

__all__ = [
    "MaskedCrossEntropyLoss",
    "MaskedL1Loss",
    "MaskedL2Loss",
    "MaskedLoss",
    "MaskedSmoothL1Loss",
]
