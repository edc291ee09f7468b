"""Mask generators, one strategy a file, and the pipeline step that applies one."""

from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.masking.transform import GenerateMask

__all__ = ["GenerateMask", "RandomPatchMask"]
