"""Losses of masked image modelling, one a file."""

from simmim_bench.losses.masked_l1 import MaskedL1Loss

__all__ = ["MaskedL1Loss"]
