"""The base of all masking strategies: sizes, the mask ratio and its schedule, batches of masks.

A strategy works in two steps. ``noise`` draws the random numbers of one mask from an explicit
generator, one sample at a time, on the CPU. ``masks`` turns a batch of such numbers into masks
with tensor operations only, on the device of the numbers. So a mask depends on the generator of
its sample only, and not on the batch, the worker or the device.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Grid = tuple[int, int]
Ratio = float | Sequence[float]


class MaskStrategy(ABC):
    """Mask a share of an image's square patches.

    A mask patch may be larger than a token of the model; then whole blocks of tokens are masked
    together. A subclass implements ``_noise`` and ``_masked_patches`` and is registered with
    ``@MASKS.register_module("name")``.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, 0 < ratio < 1, or (low, high): each sample draws
            its own share uniformly. The number of patches is rounded up.
        token_size: Side of a token of the model in pixels; divides ``mask_patch_size``.

    Raises:
        ValueError: If a ratio is outside (0, 1), low > high, or the token size does not divide
            the mask patch size.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """Keys of the pipeline's sample that the mask depends on; see ``numbers``."""

    def __init__(self, *, mask_patch_size: int, mask_ratio: Ratio, token_size: int) -> None:
        self.low, self.high = _ratio_range(mask_ratio)
        if token_size < 1 or mask_patch_size < 1 or mask_patch_size % token_size:
            raise ValueError(
                f"mask_patch_size must be a positive multiple of token_size {token_size}, got "
                f"{mask_patch_size}"
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
            ValueError: If the image size is not a multiple of the mask patch size.
        """
        return self.mask(image_size, self.noise(image_size, generator)).numpy()

    def noise(self, image_size: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw the random numbers of one mask, (n,), each in [0, 1).

        Raises:
            ValueError: If the image size is not a multiple of the mask patch size.
        """
        numbers = self._noise(self.patch_grid(image_size), generator)
        if self.low == self.high:
            return numbers
        return np.concatenate([[generator.random()], numbers])

    def numbers(
        self, sample: Mapping[str, Any], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """``noise`` for the image of a sample, followed by what the strategy ``reads`` from it.

        Args:
            sample: Sample of a pipeline: ``img`` ((H, W, C) array), and the keys of ``reads``.
            generator: Source of randomness.

        Raises:
            ValueError: If the image size is not a multiple of the mask patch size, or a key is
                missing.
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
            noise: Float64, (B, n): a row of ``noise`` for each mask, or of ``numbers`` if the
                strategy ``reads`` the sample.

        Returns:
            Bool, (B, H / token_size, W / token_size), on the device of ``noise``.
        """
        grid = self.patch_grid(image_size)
        share = torch.full_like(noise[:, 0], self.low)
        if self.low < self.high:
            share, noise = self.low + (self.high - self.low) * noise[:, 0], noise[:, 1:]
        masked = self._masked_patches(grid, share, noise)  # (B, rows, columns)
        scale = self.mask_patch_size // self.token_size
        batch, rows, columns = masked.shape
        tokens = masked[:, :, None, :, None].expand(-1, -1, scale, -1, scale)
        return tokens.reshape(batch, rows * scale, columns * scale)

    def mask(self, image_size: Grid, noise: NDArray[np.float64]) -> Tensor:
        """Make one mask; a subclass may have a quicker way than a batch of one.

        Args:
            image_size: Height and width in pixels.
            noise: Float64, (n,): a row of ``masks``.

        Returns:
            Bool, (H / token_size, W / token_size).
        """
        return self.masks(image_size, torch.from_numpy(noise).unsqueeze(0))[0]

    def patch_grid(self, image_size: Grid) -> Grid:
        """Rows and columns of mask patches in an image of ``image_size`` (H, W) pixels.

        Raises:
            ValueError: If the image size is not a multiple of the mask patch size.
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
        """Random numbers of one mask, (n,), in [0, 1); the one for the ratio is not among them."""

    @abstractmethod
    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        """Masks of patches, Bool (B, rows, columns), from ``share`` (B,) and ``noise`` (B, n)."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(mask_patch_size={self.mask_patch_size}, "
            f"mask_ratio={self.mask_ratio}, token_size={self.token_size})"
        )


def count_of(share: Tensor, grid: Grid) -> Tensor:
    """Number of patches to mask, (B,), rounded up as in the paper's code: 0.6 * 36 -> 22."""
    return torch.ceil(grid[0] * grid[1] * share).long()


def first_patches(order: Tensor, wanted: Tensor, grid: Grid) -> Tensor:
    """Mask the patches that come first in an order.

    Args:
        order: (B, rows * columns), row by row; the smallest values come first, ties in place.
        wanted: Number of patches to mask, (B,).
        grid: Rows and columns.

    Returns:
        Bool, (B, rows, columns).
    """
    rank = order.argsort(dim=1, stable=True).argsort(dim=1)
    return (rank < wanted.unsqueeze(1)).unflatten(1, grid)


def draw_batch(
    strategy: MaskStrategy,
    image_size: Grid,
    keys: Sequence[Sequence[int]],
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make the masks of many samples at once; they equal those made one by one.

    Args:
        strategy: What to mask.
        image_size: Height and width in pixels.
        keys: Seed key of each sample's generator, such as (seed, epoch, sample index).
        device: Device that makes the masks.

    Returns:
        Bool, (B, H / token_size, W / token_size); True = masked.
    """
    rows = [strategy.noise(image_size, np.random.default_rng(list(key))) for key in keys]
    return strategy.masks(image_size, torch.from_numpy(np.stack(rows)).to(device))


@dataclass(frozen=True, kw_only=True)
class RatioSchedule:
    """A mask ratio that changes linearly over the first epochs. Not in the SimMIM paper.

    The ratio depends on the epoch only, so it is the same in every worker and after a resumed
    run. Hard Patches Mining (https://arxiv.org/abs/2304.05919, section 3.3) also goes from easy
    to hard, but increases the share of patches that a score selects; here the number of masked
    patches changes.

    Args:
        start: Mask ratio of the first epoch, 0 < start < 1.
        end: Mask ratio from epoch ``epochs`` (counted from 0) on.
        epochs: Number of epochs until ``end`` is reached, at least 1.

    Raises:
        ValueError: If a ratio is outside (0, 1) or ``epochs`` is below 1.
    """

    start: float
    end: float
    epochs: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ValueError(f"{name} of a mask ratio schedule must be in (0, 1), got {value}")
        if self.epochs < 1:
            raise ValueError(f"epochs of a mask ratio schedule must be >= 1, got {self.epochs}")

    def at(self, epoch: int) -> float:
        """Ratio of an epoch (counted from 0)."""
        share = min(epoch / self.epochs, 1.0)
        return (1 - share) * self.start + share * self.end


def ratio_schedule(mask_ratio: Ratio, schedule: dict[str, Any] | None) -> RatioSchedule | None:
    """Schedule that ends at ``mask_ratio``; None if ``schedule`` is None.

    Raises:
        ValueError: If the ratio is a range, or the values of the schedule are not valid.
    """
    if schedule is None:
        return None
    if not isinstance(mask_ratio, int | float):
        raise ValueError(
            f"mask_ratio must be one number if there is a schedule, got the range "
            f"{tuple(mask_ratio)}"
        )
    try:
        return RatioSchedule(end=mask_ratio, **schedule)
    except TypeError as error:
        raise ValueError(f"schedule of the mask ratio: {error}") from error


def _ratio_range(ratio: Ratio) -> tuple[float, float]:
    pair = (ratio, ratio) if isinstance(ratio, int | float) else tuple(ratio)
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(
            f"mask_ratio must be a number or a pair (low, high) with low <= high, such as 0.6 or "
            f"(0.4, 0.8), got {ratio}"
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
