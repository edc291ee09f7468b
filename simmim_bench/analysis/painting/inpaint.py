"""Inpainting: a model paints what is marked in an image of any size; all else stays as it is.

The image is resized to the model's size; every mask patch that a marked pixel touches is hidden;
the prediction is resized back and taken at marked pixels alone. What lies under the mark is
replaced by the mean colour before anything is resized, so it has no influence.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from rich.console import Console

from simmim_bench.analysis.images import (
    Marks,
    Pixels,
    find_images,
    name_outputs,
    read_image,
    read_marks,
    resized,
    write_png,
)
from simmim_bench.analysis.painting.marks import check_marks, pixels_of, touched_patches
from simmim_bench.analysis.painting.painter import Painter, load_painter
from simmim_bench.analysis.reconstruct import figures_table
from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import masked_psnr, masked_ssim


def inpaint(painter: Painter, image: Pixels, marks: Marks, *, name: str = "the mask") -> Pixels:
    """Paint the marked pixels of ``image``.

    Args:
        painter: Who paints.
        image: (H, W, 3), uint8, RGB, of any size.
        marks: Bool, (H, W); True = to be painted.
        name: Of the mask, for the error.

    Returns:
        (H, W, 3), uint8; unmarked pixels are those of ``image``.

    Raises:
        BenchError: If the mask is of another size, empty, or leaves nothing visible.
    """
    check_marks(marks, image.shape[:2], painter.grid, name=name)
    blank = image.copy()
    blank[marks] = image[~marks].mean(axis=0).round()
    seen = resized(blank, painter.image_size)
    patches = touched_patches(marks, painter.grid)
    painted = painter.paint(seen[None], patches[None])[0]
    return np.where(marks[..., None], resized(painted, image.shape[:2]), image)


def run_inpaint(args: argparse.Namespace, console: Console) -> None:
    """Write a PNG for each image, and print PSNR and SSIM of its painted part.

    Args:
        args: Namespace of ``tools/analyze.py inpaint``.
        console: Where the table goes.

    Raises:
        BenchError: If config, checkpoint, mask or an image is not usable.
    """
    if not 0 < args.ratio < 1:
        raise BenchError(f"--ratio is {args.ratio}, expected a share between 0 and 1; SimMIM: 0.6")
    paths = find_images(args.images)
    targets = name_outputs(paths, args.out)
    images = [read_image(path) for path in paths]
    given = read_marks(args.mask) if args.mask else None
    painter = load_painter(args.config, args.checkpoint, args.cfg_options)
    marks = [_marks(given, painter, image, args, n) for n, image in enumerate(images)]
    name = f"mask {args.mask}" if args.mask else f"a random mask of --ratio {args.ratio}"
    painted = [
        inpaint(painter, image, mark, name=name) for image, mark in zip(images, marks, strict=True)
    ]
    for target, pixels in zip(targets, painted, strict=True):
        write_png(pixels, target)
    figures = [_figures(*each) for each in zip(painted, images, marks, strict=True)]
    console.print(figures_table(paths, *map(list, zip(*figures, strict=True))))
    console.print(f"written: {args.out}", soft_wrap=True)


def _marks(
    given: Marks | None, painter: Painter, image: Pixels, args: argparse.Namespace, number: int
) -> Marks:
    if given is not None:
        check_marks(given, image.shape[:2], painter.grid, name=f"mask {args.mask}")
        return given
    patches = painter.random_patches(ratio=args.ratio, seed=(args.seed, number))
    return pixels_of(patches, image.shape[:2])


def _figures(painted: Pixels, image: Pixels, marks: Marks) -> tuple[float, float]:
    """PSNR and SSIM of the marked pixels against the given image."""
    first, second = (
        torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255 for pixels in (painted, image)
    )
    mask = torch.from_numpy(marks)[None]
    return float(masked_psnr(first, second, mask)), float(masked_ssim(first, second, mask))
