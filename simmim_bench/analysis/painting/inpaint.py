"""Inpainting: a model predicts the masked pixels of an image of any size; others do not change.

The image is resized to the size of the model. Every mask patch that contains a masked pixel is
hidden from the model. The prediction is resized back and used for masked pixels only. Masked pixels
are replaced by the mean colour before the image is resized, so their content has no influence.

Pixel row y of an image of height H belongs to patch row ``floor(y * rows / H)``, and so on for
columns.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from rich.console import Console

from simmim_bench.analysis.images import (
    PixelMask,
    Pixels,
    find_images,
    name_outputs,
    read_image,
    read_mask,
    resized,
    write_png,
)
from simmim_bench.analysis.painting.predictor import Predictor, load_predictor
from simmim_bench.analysis.reconstruct import metrics_table
from simmim_bench.errors import BenchError
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.reconstruction import masked_psnr, masked_ssim

Grid = tuple[int, int]


def run_inpaint(args: argparse.Namespace, console: Console) -> None:
    """Write a PNG for each image, and print PSNR and SSIM of its masked pixels.

    Args:
        args: Namespace of ``simmim-bench analyze inpaint``.
        console: Prints the table.

    Raises:
        BenchError: If config, checkpoint, mask or an image is not usable.
    """
    if not 0 < args.ratio < 1:
        raise BenchError(f"--ratio must be between 0 and 1, got {args.ratio}; SimMIM uses 0.6")
    paths = find_images(args.images)
    targets = name_outputs(paths, args.out)
    images = [read_image(path, upright=True) for path in paths]
    given = read_mask(args.mask) if args.mask else None
    predictor = load_predictor(
        args.config, args.checkpoint, args.cfg_options, image_size=args.image_size
    )
    name = f"mask {args.mask}" if args.mask else f"a random mask of --ratio {args.ratio}"
    masks = []
    for number, image in enumerate(images):
        if given is None:
            patches = predictor.random_patches(ratio=args.ratio, seed=(args.seed, number))
            masks.append(pixels_of(patches, image.shape[:2]))
        else:
            check_mask(given, image.shape[:2], predictor.grid, name=name)
            masks.append(given)
    pairs = zip(images, masks, strict=True)
    results = [inpaint(predictor, image, mask, name=name) for image, mask in pairs]
    for target, pixels in zip(targets, results, strict=True):
        write_png(pixels, target)
    values = [_psnr_and_ssim(*each) for each in zip(results, images, masks, strict=True)]
    console.print(metrics_table(paths, *map(list, zip(*values, strict=True))))
    console.print(f"written: {args.out}", soft_wrap=True)


def inpaint(
    predictor: Predictor, image: Pixels, mask: PixelMask, *, name: str = "the mask"
) -> Pixels:
    """Replace the masked pixels of ``image`` by predictions.

    Args:
        predictor: The model.
        image: (H, W, 3), uint8, RGB, of any size.
        mask: Bool, (H, W); True = replaced.
        name: Name of the mask in errors.

    Returns:
        (H, W, 3), uint8; pixels outside the mask are those of ``image``.

    Raises:
        BenchError: If the mask has another size, is empty, or leaves no patch visible.
    """
    check_mask(mask, image.shape[:2], predictor.grid, name=name)
    blank = image.copy()
    blank[mask] = image[~mask].mean(axis=0).round()
    seen = resized(blank, predictor.image_size)
    patches = touched_patches(mask, predictor.grid)
    predicted = predictor.predict(seen[None], patches[None])[0]
    return np.where(mask[..., None], resized(predicted, image.shape[:2]), image)


def random_squares(count: int, size: Grid, *, side: int, ratio: float, seed: int) -> PixelMask:
    """Random squares to be inpainted, which do not depend on any model.

    Args:
        count: Number of images.
        size: Their height and width.
        side: Side of a square in pixels; divides height and width.
        ratio: Share of masked squares, 0 < ratio < 1; their number is rounded up.
        seed: The seed key of an image is (seed, number of the image).

    Returns:
        Bool, (count, H, W); True = masked.

    Raises:
        BenchError: If the squares do not divide the image, or the ratio is outside (0, 1).
    """
    try:
        squares = RandomPatchMask(mask_patch_size=side, mask_ratio=ratio, token_size=1)
        drawn = [squares(size, np.random.default_rng([seed, number])) for number in range(count)]
    except ValueError as error:
        raise BenchError(f"random squares to inpaint: {error}") from error
    return np.stack(drawn)


def touched_patches(mask: PixelMask, grid: Grid) -> PixelMask:
    """Patches that contain a masked pixel.

    Args:
        mask: Bool, (H, W).
        grid: Rows and columns of mask patches.

    Returns:
        Bool, ``grid``; True = hidden from the model.
    """
    rows, columns = _places(mask.shape[0], grid[0]), _places(mask.shape[1], grid[1])
    touched = np.zeros(grid, dtype=bool)
    y, x = np.nonzero(mask)
    touched[rows[y], columns[x]] = True
    return touched


def pixels_of(patches: PixelMask, size: tuple[int, ...]) -> PixelMask:
    """Pixels of an image of ``size`` (H, W) that belong to masked patches: Bool, (H, W)."""
    rows, columns = _places(size[0], patches.shape[0]), _places(size[1], patches.shape[1])
    return patches[np.ix_(rows, columns)]


def check_mask(mask: PixelMask, size: tuple[int, ...], grid: Grid, *, name: str) -> None:
    """Raise if a mask cannot be inpainted.

    Args:
        mask: Bool, (H, W).
        size: Height and width of the image.
        grid: Rows and columns of mask patches.
        name: Name of the mask in errors.

    Raises:
        BenchError: If the size differs, no pixel is masked, or every patch is touched.
    """
    if mask.shape != tuple(size):
        raise BenchError(
            f"{name} is {mask.shape[1]}x{mask.shape[0]}, the image is {size[1]}x{size[0]}; "
            f"give a mask of the same size"
        )
    if not mask.any():
        raise BenchError(f"{name} is empty; draw white over the pixels to replace")
    if touched_patches(mask, grid).all():
        raise BenchError(
            f"{name} touches all {grid[0] * grid[1]} patches of the model ({grid[0]} rows of "
            f"{grid[1]}), so the model sees nothing of the image; mask fewer patches, or use a "
            f"model with smaller ones"
        )


def _places(pixels: int, patches: int) -> np.ndarray:
    """Patch row (or column) of each pixel row."""
    return np.arange(pixels) * patches // pixels


def _psnr_and_ssim(result: Pixels, image: Pixels, mask: PixelMask) -> tuple[float, float]:
    """PSNR and SSIM of the masked pixels against the given image."""
    first, second = (
        torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255 for pixels in (result, image)
    )
    batch = torch.from_numpy(mask)[None]
    return float(masked_psnr(first, second, batch)), float(masked_ssim(first, second, batch))
