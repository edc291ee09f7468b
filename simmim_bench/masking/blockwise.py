"""Block-wise masking of BEiT (https://arxiv.org/abs/2106.08254, algorithm 1).

Reference: https://github.com/microsoft/unilm/blob/master/beit/masking_generator.py
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of
from simmim_bench.masking.square import rectangles
from simmim_bench.registry import MASKS

BLOCKS = 64  # at most; patches that are still missing then are taken row by row


@MASKS.register_module("blockwise")
class BlockwiseMask(MaskStrategy):
    """Mask rectangles one after another until the wanted number of patches is masked.

    The area of a block is uniform between ``min_block`` and the number of patches still to be
    masked, its aspect ratio is log-uniform, its position uniform. Two things differ from BEiT's
    code, so that the count is exact and masks are made in batches. If a block has too many
    patches, only its first ones, row by row, are masked; BEiT drops the block and may stop up to
    ``min_block`` patches short. A block that is longer than the image is cut to the image's side;
    BEiT draws again.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a model token in pixels.
        min_block: Smallest area of a block in patches; BEiT uses 16 of 14 x 14 patches.
        min_aspect: Smallest ratio of height to width; the largest is its inverse.

    Raises:
        ValueError: As ``MaskStrategy``, or if ``min_block`` or ``min_aspect`` is out of range.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        min_block: int = 16,
        min_aspect: float = 0.3,
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if min_block < 1:
            raise ValueError(f"min_block must be >= 1 patch, got {min_block}; BEiT uses 16")
        if not 0 < min_aspect <= 1:
            raise ValueError(f"min_aspect must be in (0, 1], got {min_aspect}; BEiT uses 0.3")
        self.min_block = min_block
        self.min_aspect = min_aspect

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:  # noqa: ARG002
        return generator.random(4 * BLOCKS)

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        wanted = count_of(share, grid)
        masked = torch.zeros((len(noise), *grid), dtype=torch.bool, device=noise.device)
        for draw in noise.unflatten(1, (BLOCKS, 4)).unbind(1):  # (B, 4)
            if not _left(masked, wanted).any():
                return masked
            masked = _add(masked, self._block(grid, _left(masked, wanted), draw), wanted)
        return _add(masked, torch.ones_like(masked), wanted)

    def _block(self, grid: Grid, left: Tensor, draw: Tensor) -> Tensor:
        """One block per sample, Bool (B, rows, columns), with ``left`` (B,) patches to mask."""
        smallest = left.clamp(max=self.min_block).to(draw)
        area = smallest + draw[:, 0] * (left - smallest)
        aspect = torch.exp((2 * draw[:, 1] - 1) * -math.log(self.min_aspect))
        height = (area * aspect).sqrt().round().clamp(1, grid[0])
        width = (area / aspect).sqrt().round().clamp(1, grid[1])
        top = (draw[:, 2] * (grid[0] - height + 1)).floor()
        start = (draw[:, 3] * (grid[1] - width + 1)).floor()
        return rectangles(grid, top, start, height, width)


def _left(masked: Tensor, wanted: Tensor) -> Tensor:
    return wanted - masked.sum(dim=(1, 2))


def _add(masked: Tensor, block: Tensor, wanted: Tensor) -> Tensor:
    """Mask the patches of the block, row by row, until ``wanted`` are masked."""
    new = block & ~masked
    number = new.flatten(1).cumsum(dim=1).unflatten(1, masked.shape[1:])
    return masked | (new & (number <= _left(masked, wanted)[:, None, None]))
