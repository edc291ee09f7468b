"""One square anywhere in the image: SimMIM's central region masking, section 3.2.

Context Encoders (https://arxiv.org/abs/1604.07379) mask the central region; SimMIM
(https://arxiv.org/abs/2111.09886) moves it randomly.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy
from simmim_bench.registry import MASKS


@MASKS.register_module("square")
class SquareMask(MaskStrategy):
    """Mask one square of patches at a uniformly drawn position.

    Its side is the integer whose square is nearest to the wanted area. If the image is too short
    for the square, a rectangle with the image's height (or width) and the same area is masked.
    """

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:  # noqa: ARG002
        return generator.random(2)

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        rows, columns = grid
        area = share * rows * columns
        below = area.sqrt().floor()
        side = torch.where(area - below**2 <= (below + 1) ** 2 - area, below, below + 1)
        side = side.clamp(min=1)
        height = side.clamp(max=rows)
        height = torch.where(side > columns, (area / columns).round(), height)
        width = side.clamp(max=columns)
        width = torch.where(side > rows, (area / rows).round(), width)
        top = (noise[:, 0] * (rows - height + 1)).floor()
        left = (noise[:, 1] * (columns - width + 1)).floor()
        return rectangles(grid, top, left, height, width)


def rectangles(grid: Grid, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """One filled rectangle per sample: Bool, (B, rows, columns), from (B,) corners and sides."""
    row = torch.arange(grid[0], device=top.device)
    column = torch.arange(grid[1], device=top.device)
    in_rows = (row >= top[:, None]) & (row < (top + height)[:, None])  # (B, rows)
    in_columns = (column >= left[:, None]) & (column < (left + width)[:, None])
    return in_rows.unsqueeze(2) & in_columns.unsqueeze(1)
