"""Masking strategies, one a file, and the pipeline step that applies one."""

from simmim_bench.masking.base import MaskStrategy, draw_batch
from simmim_bench.masking.blockwise import BlockwiseMask
from simmim_bench.masking.grid import GridMask
from simmim_bench.masking.hierarchical import HierarchicalMask
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.masking.square import SquareMask
from simmim_bench.masking.stripes import StripesMask
from simmim_bench.masking.transform import GenerateMask

__all__ = [
    "BlockwiseMask",
    "GenerateMask",
    "GridMask",
    "HierarchicalMask",
    "MaskStrategy",
    "RandomPatchMask",
    "SquareMask",
    "StripesMask",
    "draw_batch",
]
