"""Super-resolution by masking: detail from a model that repaints an enlarged image in parts.

With U and D for bicubic enlargement and reduction by a whole factor, and y the small image:
the patches of U(y) are split at random into two halves; each half is hidden once, and the model
paints it from the other half, which gives a picture p. The result is ``U(y) + p - U(D(p))``, the
last two for each patch by itself: of p it takes what the small image cannot hold, and the small
image gives the rest, as in one step of back-projection (Irani and Peleg 1991,
https://doi.org/10.1016/1049-9652(91)90045-L). Over whole pictures the steps in brightness between
patches would count as detail and show as a cross of lines.
"""

from __future__ import annotations

import argparse
import math

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn.functional import interpolate

from simmim_bench.analysis.images import Pixels, find_images, name_outputs, read_image, write_png
from simmim_bench.analysis.painting.painter import Painter, load_painter
from simmim_bench.errors import BenchError

SCALES = (2, 4)


def super_resolve(painter: Painter, image: Pixels, *, scale: int, seed: int = 0) -> Pixels:
    """Enlarge ``image``, which may be of any size; windows of the model's size are painted.

    Args:
        painter: Who paints.
        image: (H, W, 3), uint8, RGB.
        scale: 2 or 4.
        seed: Of the halves that are hidden.

    Returns:
        (H * scale, W * scale, 3), uint8.

    Raises:
        BenchError: If the scale is another one, or does not divide the patches.
    """
    sides = [side // count for side, count in zip(painter.image_size, painter.grid, strict=True)]
    if scale not in SCALES or any(side % scale for side in sides):
        raise BenchError(
            f"the scale is {scale}, expected 2 or 4 that divides the model's patches of "
            f"{sides[0]}x{sides[1]} pixels"
        )
    height, width = image.shape[0] * scale, image.shape[1] * scale
    painted = repaint(painter, enlarged(image, scale), seed=seed)
    detail = _detail(painted, (sides[0], sides[1]), scale)[:, :, :height, :width]
    return _as_pixels(_resize(_as_batch(image), (height, width)) + detail)


def run_super_resolve(args: argparse.Namespace, console: Console) -> None:
    """Write each image enlarged, as PNG.

    Args:
        args: Namespace of ``tools/analyze.py super-resolve``.
        console: Where the progress and the folder go.

    Raises:
        BenchError: If config, checkpoint, scale or an image is not usable.
    """
    paths = find_images(args.images)
    targets = name_outputs(paths, args.out)
    images = [read_image(path) for path in paths]
    painter = load_painter(args.config, args.checkpoint, args.cfg_options)
    shown = track(images, "enlarging", console=console, disable=not console.is_terminal)
    large = [super_resolve(painter, image, scale=args.scale, seed=args.seed) for image in shown]
    for target, pixels in zip(targets, large, strict=True):
        write_png(pixels, target)
    console.print(f"written: {args.out}", soft_wrap=True)


def enlarged(image: Pixels, scale: int) -> Pixels:
    """``image`` (H, W, 3), uint8, bicubically ``scale`` times as large."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height * scale, width * scale)))


def reduced(image: Pixels, scale: int) -> Pixels:
    """``image`` (H, W, 3), uint8, bicubically reduced with antialiasing; sides must divide."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height // scale, width // scale)))


def repaint(painter: Painter, image: Pixels, *, seed: int) -> Pixels:
    """Every patch of ``image`` (H, W, 3), uint8, painted from the other half of its window.

    Returns:
        (H', W', 3), uint8: sides rounded up to whole windows.
    """
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
    return whole.swapaxes(1, 2).reshape(padded.shape)


def _detail(painted: Pixels, patch: tuple[int, int], scale: int) -> Tensor:
    """What of each patch (h, w) is lost by reduction: (1, 3, H, W)."""
    height, width = painted.shape[:2]
    high, wide = patch
    patches = _as_batch(painted).reshape(3, height // high, high, width // wide, wide)
    patches = patches.permute(1, 3, 0, 2, 4).flatten(0, 1)  # (patches, 3, h, w)
    lost = patches - _resize(_resize(patches, (high // scale, wide // scale)), patch)
    lost = lost.reshape(height // high, width // wide, 3, high, wide)
    return lost.permute(2, 0, 3, 1, 4).reshape(1, 3, height, width)


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
