"""Random square patches, SimMIM's masking strategy (https://arxiv.org/abs/2111.09886, 3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, count_of, first_patches
from simmim_bench.registry import MASKS


@MASKS.register_module("random")
class RandomPatchMask(MaskStrategy):
    """Mask a share of the patches; all sets of that many patches are equally likely."""

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Rank of each patch in a random order, divided by the number of patches."""
        patches = grid[0] * grid[1]
        place = np.empty(patches)
        place[generator.permutation(patches)] = np.arange(patches)
        return place / patches

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        return first_patches(noise, count_of(share, grid), grid)
