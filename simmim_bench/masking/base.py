"""What every masking strategy shares: sizes, the mask ratio, and batches of masks.

A strategy works in two steps. ``noise`` draws the few random numbers that one mask needs from
an explicit generator, one sample at a time, on the CPU. ``masks`` turns a batch of such numbers
into masks with tensor operations alone, on the numbers' device. So a mask depends on its
sample's generator and on nothing else: not on the batch, the worker or the device.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Grid = tuple[int, int]
Ratio = float | Sequence[float]


class MaskStrategy(ABC):
    """Mask a share of an image's square patches.

    The mask patch may be larger than the model's token, so that whole blocks of tokens are
    hidden together.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, 0 < ratio < 1, or (low, high): each sample draws
            its own share uniformly. Rounded up to whole patches.
        token_size: Side of a model token in pixels; divides ``mask_patch_size``.

    Raises:
        ValueError: If a ratio is outside (0, 1), a range is empty, or the token does not
            divide the patch.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """Keys of a pipeline's sample that the mask depends on; see ``numbers``."""

    def __init__(self, *, mask_patch_size: int, mask_ratio: Ratio, token_size: int) -> None:
        self.low, self.high = _ratio_range(mask_ratio)
        if token_size < 1 or mask_patch_size < 1 or mask_patch_size % token_size:
            raise ValueError(
                f"mask patch size {mask_patch_size} is not a positive multiple of the model's "
                f"patch size {token_size}; use {max(token_size, 1)} times a whole number"
            )
        self.mask_patch_size = mask_patch_size
        self.mask_ratio = mask_ratio
        self.token_size = token_size

    def __call__(self, image_size: Grid, generator: np.random.Generator) -> NDArray[np.bool_]:
        """Draw one mask.

        Args:
            image_size: Height and width in pixels.
            generator: Source of randomness.

        Returns:
            Bool, (H / token_size, W / token_size); True = masked.

        Raises:
            ValueError: If the mask patch does not divide the image.
        """
        noise = torch.from_numpy(self.noise(image_size, generator))
        return self.masks(image_size, noise.unsqueeze(0))[0].numpy()

    def noise(self, image_size: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw the numbers of one mask, (n,), each in [0, 1).

        Raises:
            ValueError: If the mask patch does not divide the image.
        """
        numbers = self._noise(self.patch_grid(image_size), generator)
        if self.low == self.high:
            return numbers
        return np.concatenate([[generator.random()], numbers])

    def numbers(
        self, sample: Mapping[str, Any], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """``noise`` for the image of a sample, and behind it what the strategy ``reads`` there.

        Args:
            sample: What a pipeline holds: ``img`` ((H, W, C) array), and the keys of ``reads``.
            generator: Source of randomness.

        Raises:
            ValueError: If the mask patch does not divide the image, or a key is missing.
        """
        return self.noise(sample["img"].shape[:2], generator)

    def with_ratio(self, mask_ratio: Ratio) -> Self:
        """The same strategy with another mask ratio."""
        other = copy.copy(self)
        other.low, other.high = _ratio_range(mask_ratio)
        other.mask_ratio = mask_ratio
        return other

    def masks(self, image_size: Grid, noise: Tensor) -> Tensor:
        """Make a batch of masks.

        Args:
            image_size: Height and width in pixels.
            noise: Float64, (B, n), rows of ``noise`` or, if it ``reads``, of ``numbers``.

        Returns:
            Bool, (B, H / token_size, W / token_size), on the device of ``noise``.
        """
        grid = self.patch_grid(image_size)
        share = torch.full_like(noise[:, 0], self.low)
        if self.low < self.high:
            share, noise = self.low + (self.high - self.low) * noise[:, 0], noise[:, 1:]
        masked = self._masked_patches(grid, share, noise)  # (B, rows, columns)
        scale = self.mask_patch_size // self.token_size
        return masked.repeat_interleave(scale, 1).repeat_interleave(scale, 2)

    def patch_grid(self, image_size: Grid) -> Grid:
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

    @abstractmethod
    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Numbers of one mask, (n,), in [0, 1), beside the one that draws its ratio."""

    @abstractmethod
    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        """Masks in patches: Bool, (B, rows, columns), of ``share`` (B,) and ``noise`` (B, n)."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(mask_patch_size={self.mask_patch_size}, "
            f"mask_ratio={self.mask_ratio}, token_size={self.token_size})"
        )


def count_of(share: Tensor, grid: Grid) -> Tensor:
    """Patches to mask: share (B,) of the grid, rounded up as the original: 0.6 * 36 -> 22."""
    return torch.ceil(grid[0] * grid[1] * share).long()


def draw_batch(
    strategy: MaskStrategy,
    image_size: Grid,
    keys: Sequence[Sequence[int]],
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make the masks of many samples at once, the same as one by one.

    Args:
        strategy: What to mask.
        image_size: Height and width in pixels.
        keys: Words that seed each sample's generator, such as (seed, epoch, sample index).
        device: Where the masks are made.

    Returns:
        Bool, (B, H / token_size, W / token_size); True = masked.
    """
    rows = [strategy.noise(image_size, np.random.default_rng(list(words))) for words in keys]
    return strategy.masks(image_size, torch.from_numpy(np.stack(rows)).to(device))


def _ratio_range(ratio: Ratio) -> tuple[float, float]:
    pair = (ratio, ratio) if isinstance(ratio, int | float) else tuple(ratio)
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(
            f"mask ratio {ratio} is neither a number nor a pair (low, high) with low <= high; "
            f"use for example 0.6 or (0.4, 0.8)"
        )
    for value in pair:
        if not 0 < value < 1:
            raise ValueError(
                f"mask ratio {value} is not between 0 and 1 (exclusive); SimMIM uses 0.6"
            )
    return float(pair[0]), float(pair[1])


def _multiples_near(side: int, step: int) -> str:
    below = side // step * step
    return f"{below} or {below + step}" if below else str(step)
