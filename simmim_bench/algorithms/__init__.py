"""Algorithms: put backbone, masking, decoder and loss together."""

from simmim_bench.algorithms.dalle import DallETokenizer
from simmim_bench.algorithms.simmim import SimMIM
from simmim_bench.algorithms.sparse_simmim import SparseSimMIM

__all__ = ["DallETokenizer", "SimMIM", "SparseSimMIM"]
