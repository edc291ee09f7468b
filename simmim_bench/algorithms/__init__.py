"""Algorithms: put backbone, masking, decoder and loss together."""

from simmim_bench.algorithms.simmim import Reconstruction, SimMIM

__all__ = ["Reconstruction", "SimMIM"]
