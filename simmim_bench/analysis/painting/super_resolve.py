"""Super-resolution by masking: a model predicts an enlarged image in two parts.

Let U and D be bicubic enlargement and reduction by an integer factor, and y the small image. The
patches of U(y) are split at random into two halves. The model predicts each half from the other,
which gives an image p. The result is ``U(y) + p - U(D(p))``: detail from p, and everything else
from y, as in one step of back-projection (Irani and Peleg 1991,
https://doi.org/10.1016/1049-9652(91)90045-L). ``p - U(D(p))`` is computed patch by patch, because
steps in brightness between patches would otherwise count as detail and show as lines.
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
from simmim_bench.analysis.painting.predictor import Predictor, load_predictor
from simmim_bench.errors import BenchError

SCALES = (2, 4)


def super_resolve(predictor: Predictor, image: Pixels, *, scale: int, seed: int = 0) -> Pixels:
    """Enlarge ``image``, of any size, in windows of the size of the model.

    Args:
        predictor: The model.
        image: (H, W, 3), uint8, RGB.
        scale: 2 or 4.
        seed: Seed of the halves that are masked.

    Returns:
        (H * scale, W * scale, 3), uint8.

    Raises:
        BenchError: If the scale is not 2 or 4, or does not divide the patches.
    """
    sides = [
        side // count for side, count in zip(predictor.image_size, predictor.grid, strict=True)
    ]
    if scale not in SCALES or any(side % scale for side in sides):
        raise BenchError(
            f"--scale must be 2 or 4 and divide the model's patches of {sides[0]}x{sides[1]} "
            f"pixels, got {scale}"
        )
    height, width = image.shape[0] * scale, image.shape[1] * scale
    predicted = predict_halves(predictor, enlarged(image, scale), seed=seed)
    detail = _detail(predicted, (sides[0], sides[1]), scale)[:, :, :height, :width]
    return _as_pixels(_resize(_as_batch(image), (height, width)) + detail)


def run_super_resolve(args: argparse.Namespace, console: Console) -> None:
    """Write each image enlarged, as PNG.

    Args:
        args: Namespace of ``simmim-bench analyze super-resolve``.
        console: Prints the progress and the folder.

    Raises:
        BenchError: If config, checkpoint, scale or an image is not usable.
    """
    paths = find_images(args.images)
    targets = name_outputs(paths, args.out)
    images = [read_image(path, upright=True) for path in paths]
    predictor = load_predictor(
        args.config, args.checkpoint, args.cfg_options, image_size=args.image_size
    )
    shown = track(images, "enlarging", console=console, disable=not console.is_terminal)
    large = [super_resolve(predictor, image, scale=args.scale, seed=args.seed) for image in shown]
    for target, pixels in zip(targets, large, strict=True):
        write_png(pixels, target)
    console.print(f"written: {args.out}", soft_wrap=True)


def enlarged(image: Pixels, scale: int) -> Pixels:
    """Enlarge ``image`` (H, W, 3), uint8, ``scale`` times, bicubic."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height * scale, width * scale)))


def reduced(image: Pixels, scale: int) -> Pixels:
    """Reduce ``image`` (H, W, 3), uint8, by ``scale``, which divides it; bicubic, antialiased."""
    height, width = image.shape[:2]
    return _as_pixels(_resize(_as_batch(image), (height // scale, width // scale)))


def predict_halves(predictor: Predictor, image: Pixels, *, seed: int) -> Pixels:
    """Predict every patch of ``image`` (H, W, 3), uint8, from the other half of its window.

    Returns:
        (H', W', 3), uint8: sides rounded up to whole windows.
    """
    height, width = image.shape[:2]
    rows, columns = (
        math.ceil(n / m) for n, m in zip((height, width), predictor.image_size, strict=True)
    )
    high, wide = predictor.image_size
    padded = np.pad(
        image, ((0, rows * high - height), (0, columns * wide - width), (0, 0)), mode="edge"
    )
    windows = padded.reshape(rows, high, columns, wide, 3).swapaxes(1, 2).reshape(-1, high, wide, 3)
    masked = _halves(len(windows), predictor.grid, seed)
    first, second = predictor.predict(windows, masked), predictor.predict(windows, ~masked)
    repeats = high // predictor.grid[0], wide // predictor.grid[1]
    where = masked.repeat(repeats[0], axis=1).repeat(repeats[1], axis=2)[..., None]
    whole = np.where(where, first, second).reshape(rows, columns, high, wide, 3)
    return whole.swapaxes(1, 2).reshape(padded.shape)


def _detail(predicted: Pixels, patch: tuple[int, int], scale: int) -> Tensor:
    """Detail of each patch (h, w) that a reduction removes: (1, 3, H, W)."""
    height, width = predicted.shape[:2]
    high, wide = patch
    patches = _as_batch(predicted).reshape(3, height // high, high, width // wide, wide)
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
