"""Stripes: whole rows or columns of patches. Not in the SimMIM paper."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of
from simmim_bench.registry import MASKS

DIRECTIONS = ("horizontal", "vertical", "either")


@MASKS.register_module("stripes")
class StripesMask(MaskStrategy):
    """Mask whole rows or columns of patches; all sets of lines are equally likely.

    If the count is not a multiple of the line length, one more line is masked in part, in one
    piece.

    Args:
        mask_patch_size: Thickness of a stripe in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a model token in pixels.
        direction: ``horizontal``, ``vertical``, or ``either``: each sample draws one of the two.

    Raises:
        ValueError: As ``MaskStrategy``, or if the direction is unknown.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        direction: str = "either",
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
        self.direction = direction

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Direction, start of the partly masked line, random order of the lines."""
        return generator.random(2 + max(grid))

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        rows, columns = grid
        wanted = count_of(share, grid)
        start, order = noise[:, 1], noise[:, 2:]
        if self.direction == "horizontal":
            return _lines(rows, columns, wanted, start, order)
        vertical = _lines(columns, rows, wanted, start, order).transpose(1, 2)
        if self.direction == "vertical":
            return vertical
        horizontal = _lines(rows, columns, wanted, start, order)
        return torch.where((noise[:, 0] < 0.5)[:, None, None], horizontal, vertical)


def _lines(lines: int, length: int, wanted: Tensor, start: Tensor, order: Tensor) -> Tensor:
    """Mask ``wanted`` (B,) patches line by line: Bool, (B, lines, length)."""
    place = order[:, :lines].argsort(dim=1).argsort(dim=1)  # (B, lines)
    full, part = wanted // length, wanted % length
    first = (start * (length - part + 1)).floor().long()
    along = torch.arange(length, device=order.device)
    piece = (along >= first[:, None]) & (along < (first + part)[:, None])  # (B, length)
    whole = (place < full[:, None]).unsqueeze(2)
    return whole | ((place == full[:, None]).unsqueeze(2) & piece.unsqueeze(1))
