"""Adaptive masks: the patches with the highest scores are masked. Not in the SimMIM paper.

Hard Patches Mining (https://arxiv.org/abs/2304.05919, section 3.3) selects a part of the masked
patches by score and the others at random. AttMask (https://arxiv.org/abs/2203.12719) masks the
patches that a teacher attends to most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of, first_patches


class GuidedMask(MaskStrategy):
    """Mask the patches of the highest score, then others at random up to the exact count.

    ``masks`` takes the scores after the random numbers: ``torch.cat([noise, scores], dim=1)``,
    with scores (B, patches), row by row.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a model token in pixels.
        guided: Share of the masked patches that the score selects, 0 to 1, rounded down. Patches
            with equal scores are selected at random.

    Raises:
        ValueError: As ``MaskStrategy``, or if ``guided`` is out of range.
    """

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        guided: float = 0.5,
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if not 0 <= guided <= 1:
            raise ValueError(f"guided must be in [0, 1], got {guided}")
        self.guided = guided

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """An order of the patches."""
        return generator.random(grid[0] * grid[1])

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        patches = grid[0] * grid[1]
        if noise.shape[1] != 2 * patches:
            raise ValueError(
                f"{type(self).__name__} needs {patches} random numbers and {patches} scores, got "
                f"{noise.shape[1]} numbers in all; make them with `numbers`, not with `noise`"
            )
        order, score = noise[:, :patches], noise[:, patches:]
        wanted = count_of(share, grid)
        shuffled = order.argsort(dim=1)
        best = score.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
        place = shuffled.gather(1, best).argsort(dim=1)  # 0 has the highest score
        first = place < (self.guided * wanted.double()).floor().unsqueeze(1)
        return first_patches(order - first.to(order), wanted, grid)
