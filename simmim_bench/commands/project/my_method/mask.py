"""A masking strategy: ``strategy="disk"`` of ``simmim_bench.GenerateMask``."""

import torch

from simmim_bench.masking.base import MaskStrategy, count_of, first_patches
from simmim_bench.registry import MASKS


@MASKS.register_module("disk")
class DiskMask(MaskStrategy):
    """Mask the patches that are nearest to a random point."""

    def _noise(self, grid, generator):
        return generator.random(2)  # row and column of the point, as shares of the grid

    def _masked_patches(self, grid, share, noise):
        rows, columns = (torch.arange(side, device=noise.device) for side in grid)
        down = rows[:, None] + 0.5 - noise[:, 0, None, None] * grid[0]
        right = columns + 0.5 - noise[:, 1, None, None] * grid[1]
        return first_patches((down**2 + right**2).flatten(1), count_of(share, grid), grid)
