"""Large squares and single patches together. Not in the SimMIM paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of, first_patches
from simmim_bench.registry import MASKS


@MASKS.register_module("hierarchical")
class HierarchicalMask(MaskStrategy):
    """Mask large squares of patches first, then single patches up to the exact count.

    Large squares lie on a coarser grid. Patches to the right of its last whole square, or below
    it, are only masked singly.

    Args:
        mask_patch_size: Side of a small region in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a model token in pixels.
        scale: Side of a large square in patches, at least 2.
        large_share: Share of the masked patches that are in large squares, 0 to 1; rounded down
            to whole squares.

    Raises:
        ValueError: As ``MaskStrategy``, or if ``scale`` or ``large_share`` is out of range.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        scale: int = 2,
        large_share: float = 0.5,
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if scale < 2:
            raise ValueError(f"scale must be >= 2 patches, got {scale}")
        if not 0 <= large_share <= 1:
            raise ValueError(f"large_share must be in [0, 1], got {large_share}")
        self.scale = scale
        self.large_share = large_share

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Random order of the large squares, then of the patches."""
        rows, columns = grid
        return generator.random((rows // self.scale) * (columns // self.scale) + rows * columns)

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        rows, columns = grid
        down, across = rows // self.scale, columns // self.scale
        wanted = count_of(share, grid)
        squares = (self.large_share * wanted).floor().long() // self.scale**2  # (B,)
        order = noise[:, down * across :]
        if down * across:
            large = first_patches(noise[:, : down * across], squares, (down, across))
            large = large.repeat_interleave(self.scale, 1).repeat_interleave(self.scale, 2)
            large = pad(large, (0, columns - large.shape[2], 0, rows - large.shape[1]))
            order = order - large.flatten(1).to(order)  # before all single patches
        return first_patches(order, wanted, grid)
