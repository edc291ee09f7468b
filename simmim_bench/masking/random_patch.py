"""Random square patches, SimMIM's masking strategy (https://arxiv.org/abs/2111.09886, 3.2)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class RandomPatchMask:
    """Mask a fixed share of an image's patches, chosen uniformly.

    The mask patch may be larger than the model's token, so that whole blocks of tokens are
    hidden together.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, 0 < ratio < 1; rounded up to whole patches.
        token_size: Side of a model token in pixels; divides ``mask_patch_size``.

    Raises:
        ValueError: If the ratio is outside (0, 1) or the token does not divide the patch.
    """

    def __init__(self, *, mask_patch_size: int, mask_ratio: float, token_size: int) -> None:
        if not 0 < mask_ratio < 1:
            raise ValueError(
                f"mask ratio {mask_ratio} is not between 0 and 1 (exclusive); SimMIM uses 0.6"
            )
        if token_size < 1 or mask_patch_size < 1 or mask_patch_size % token_size:
            raise ValueError(
                f"mask patch size {mask_patch_size} is not a positive multiple of the model's "
                f"patch size {token_size}; use {max(token_size, 1)} times a whole number"
            )
        self.mask_patch_size = mask_patch_size
        self.mask_ratio = mask_ratio
        self.token_size = token_size

    def __call__(
        self, image_size: tuple[int, int], generator: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Draw one mask.

        Args:
            image_size: Height and width in pixels.
            generator: Source of randomness.

        Returns:
            Bool, (H / token_size, W / token_size); True = masked.

        Raises:
            ValueError: If the mask patch does not divide the image.
        """
        rows, columns = self.patch_grid(image_size)
        patches = rows * columns
        count = math.ceil(patches * self.mask_ratio)  # as the original: 0.6 * 36 -> 22
        mask = np.zeros(patches, dtype=np.bool_)
        mask[generator.permutation(patches)[:count]] = True
        scale = self.mask_patch_size // self.token_size
        return mask.reshape(rows, columns).repeat(scale, axis=0).repeat(scale, axis=1)

    def patch_grid(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of mask patches in an image of ``image_size`` (H, W) pixels.

        Raises:
            ValueError: If the mask patch does not divide the image.
        """
        for side in image_size:
            if side < 1 or side % self.mask_patch_size:
                raise ValueError(
                    f"image size {side} is not divisible by mask patch size "
                    f"{self.mask_patch_size}; use {_multiples_near(side, self.mask_patch_size)}"
                )
        height, width = image_size
        return height // self.mask_patch_size, width // self.mask_patch_size


def _multiples_near(side: int, step: int) -> str:
    below = side // step * step
    return f"{below} or {below + step}" if below else str(step)
