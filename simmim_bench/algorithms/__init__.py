"""Algorithms: put backbone, masking, decoder and loss together."""

from simmim_bench.algorithms.simmim import SimMIM

__all__ = ["SimMIM"]
