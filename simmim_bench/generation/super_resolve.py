"""Super-resolution by masking: detail from a model that repaints an enlarged image in parts.

With U and D for bicubic enlargement and reduction by a whole factor, and y the small image:
the patches of U(y) are split at random into two halves; each half is hidden once, and the model
paints it from the other half, which gives a picture p. The result is ``U(y) + p - U(D(p))``: of
p it takes what the small image cannot hold, and the small image gives the rest, as in one step
of back-projection (Irani and Peleg 1991, https://doi.org/10.1016/1049-9652(91)90045-L).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from simmim_bench.errors import BenchError
from simmim_bench.generation.images import Pixels
from simmim_bench.generation.painter import Painter

SCALES = (2, 3, 4)


def super_resolve(painter: Painter, image: Pixels, *, scale: int, seed: int = 0) -> Pixels:
    """Enlarge ``image``, which may be of any size; windows of the model's size are painted.

    Args:
        painter: Who paints.
        image: (H, W, 3), uint8, RGB.
        scale: 2, 3 or 4.
        seed: Of the halves that are hidden.

    Returns:
        (H * scale, W * scale, 3), uint8.

    Raises:
        BenchError: If the scale is another one.
    """
    if scale not in SCALES:
        raise BenchError(f"the scale is {scale}, expected one of 2, 3 and 4")
    large = enlarged(image, scale)
    painted = _as_batch(repaint(painter, large, seed=seed))
    height, width = image.shape[:2]
    low = _resize(_resize(painted, (height, width)), (height * scale, width * scale))
    base = _resize(_as_batch(image), (height * scale, width * scale))
    return _as_pixels(base + painted - low)


def enlarged(image: Pixels, scale: int) -> Pixels:
    """``image`` (H, W, 3), uint8, bicubically ``scale`` times as large."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height * scale, width * scale)))


def reduced(image: Pixels, scale: int) -> Pixels:
    """``image`` (H, W, 3), uint8, bicubically reduced with antialiasing; sides must divide."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height // scale, width // scale)))


def repaint(painter: Painter, image: Pixels, *, seed: int) -> Pixels:
    """``image`` (H, W, 3), uint8, with every patch painted from the other half of its window."""
    height, width = image.shape[:2]
    rows, columns = (
        math.ceil(n / m) for n, m in zip((height, width), painter.image_size, strict=True)
    )
    high, wide = painter.image_size
    padded = np.pad(
        image, ((0, rows * high - height), (0, columns * wide - width), (0, 0)), mode="edge"
    )
    windows = padded.reshape(rows, high, columns, wide, 3).swapaxes(1, 2).reshape(-1, high, wide, 3)
    hidden = _halves(len(windows), painter.grid, seed)
    first, second = painter.paint(windows, hidden), painter.paint(windows, ~hidden)
    repeats = high // painter.grid[0], wide // painter.grid[1]
    where = hidden.repeat(repeats[0], axis=1).repeat(repeats[1], axis=2)[..., None]
    whole = np.where(where, first, second).reshape(rows, columns, high, wide, 3)
    return whole.swapaxes(1, 2).reshape(padded.shape)[:height, :width]


def _halves(count: int, grid: tuple[int, int], seed: int) -> np.ndarray:
    """Bool, (count, rows, columns): half of each window's patches, rounded down."""
    patches = grid[0] * grid[1]
    order = np.random.default_rng(seed).random((count, patches)).argsort(axis=1).argsort(axis=1)
    return (order < patches // 2).reshape(count, *grid)


def _resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    return interpolate(images, size=size, mode="bicubic", antialias=True)


def _as_batch(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()


def _as_pixels(batch: Tensor) -> Pixels:
    values: Pixels = batch[0].clamp(0, 255).round().byte().permute(1, 2, 0).numpy()
    return values
