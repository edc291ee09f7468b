"""Masking strategies, one a file, and the pipeline step that applies one."""

from simmim_bench.masking.base import MaskStrategy, draw_batch
from simmim_bench.masking.blockwise import BlockwiseMask
from simmim_bench.masking.edge import EdgeMask
from simmim_bench.masking.grid import GridMask
from simmim_bench.masking.guided import GuidedMask
from simmim_bench.masking.hierarchical import HierarchicalMask
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.masking.semantic import SemanticMask
from simmim_bench.masking.square import SquareMask
from simmim_bench.masking.stripes import StripesMask
from simmim_bench.masking.transform import GenerateMask, RatioSchedule

__all__ = [
    "BlockwiseMask",
    "EdgeMask",
    "GenerateMask",
    "GridMask",
    "GuidedMask",
    "HierarchicalMask",
    "MaskStrategy",
    "RandomPatchMask",
    "RatioSchedule",
    "SemanticMask",
    "SquareMask",
    "StripesMask",
    "draw_batch",
]
