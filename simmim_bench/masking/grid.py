"""A regular grid of patches.

Grid-wise sampling of MAE (https://arxiv.org/abs/2111.06377, figure 6) keeps one of every four
patches. Here a Bayer matrix (ordered dithering) orders the patches so that any share of them is
spread evenly: a ratio of 0.75 gives MAE's grid, 0.5 a checkerboard.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, count_of, first_patches
from simmim_bench.registry import MASKS

PERIOD = 16  # side of the Bayer matrix; larger grids repeat it


@MASKS.register_module("grid")
class GridMask(MaskStrategy):
    """Mask patches of an evenly spread pattern that is shifted at random."""

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Shift of the pattern, then a random order of the patches that have the same rank."""
        return generator.random(2 + grid[0] * grid[1])

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        rows, columns = grid
        shift = (noise[:, :2] * PERIOD).long()  # (B, 2)
        row = (torch.arange(rows, device=noise.device) + shift[:, :1]) % PERIOD  # (B, rows)
        column = (torch.arange(columns, device=noise.device) + shift[:, 1:]) % PERIOD
        ranks = bayer_matrix(PERIOD, noise.device)
        rank = ranks[row.unsqueeze(2), column.unsqueeze(1)].flatten(1)  # (B, patches)
        return first_patches(rank + noise[:, 2:], count_of(share, grid), grid)


def bayer_matrix(side: int, device: torch.device) -> Tensor:
    """Order of the positions of a square whose side is a power of 2, from 0; Long (side, side)."""
    matrix = torch.zeros(1, 1, dtype=torch.long, device=device)
    while len(matrix) < side:
        upper = torch.cat([4 * matrix, 4 * matrix + 2], dim=1)
        matrix = torch.cat([upper, torch.cat([4 * matrix + 3, 4 * matrix + 1], dim=1)])
    return matrix
