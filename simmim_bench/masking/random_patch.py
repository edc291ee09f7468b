"""Random square patches, SimMIM's masking strategy (https://arxiv.org/abs/2111.09886, 3.2)."""

from __future__ import annotations

import math

import numpy as np
import torch
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
        return generator.permutation(patches).argsort() / patches

    def mask(self, image_size: Grid, noise: NDArray[np.float64]) -> Tensor:
        """As ``MaskStrategy.mask``, by NumPy, which takes a tenth of the time of tensors."""
        grid, scale = self.patch_grid(image_size), self.mask_patch_size // self.token_size
        share = self.low
        if self.low < self.high:
            share, noise = self.low + (self.high - self.low) * noise[0], noise[1:]
        patches = grid[0] * grid[1]
        masked = noise < (math.ceil(patches * share) - 0.5) / patches  # noise is rank / patches
        tokens = np.broadcast_to(
            masked.reshape(grid[0], 1, grid[1], 1), (grid[0], scale, grid[1], scale)
        )
        return torch.from_numpy(tokens.reshape(grid[0] * scale, grid[1] * scale))

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        return first_patches(noise, count_of(share, grid), grid)
