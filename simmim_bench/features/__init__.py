"""Whose features reconstructions and originals are compared by; a registry location."""

from simmim_bench.features.base import PairFeatures
from simmim_bench.features.frozen import FrozenFeatures
from simmim_bench.features.own import OwnFeatures

__all__ = ["FrozenFeatures", "OwnFeatures", "PairFeatures"]
