"""From marked pixels of an image of any size to the mask patches that a model hides, and back.

Pixel row y of an image of height H lies in patch row ``floor(y * rows / H)``; columns likewise.
"""

from __future__ import annotations

import numpy as np

from simmim_bench.analysis.images import Marks
from simmim_bench.errors import BenchError
from simmim_bench.masking.random_patch import RandomPatchMask

Grid = tuple[int, int]


def random_squares(count: int, size: Grid, *, side: int, ratio: float, seed: int) -> Marks:
    """Random squares of a grid, image by image; no model has a say in them.

    Args:
        count: Number of images.
        size: Their height and width.
        side: Of a square, in pixels; divides height and width.
        ratio: Share of squares, rounded up to whole ones, 0 < ratio < 1.
        seed: With the number of an image, the seed of its squares.

    Returns:
        Bool, (count, H, W); True = to be painted.

    Raises:
        BenchError: If the squares do not divide the image, or the ratio is outside (0, 1).
    """
    try:
        squares = RandomPatchMask(mask_patch_size=side, mask_ratio=ratio, token_size=1)
        drawn = [squares(size, np.random.default_rng([seed, number])) for number in range(count)]
    except ValueError as error:
        raise BenchError(f"squares to be painted: {error}") from error
    return np.stack(drawn)


def touched_patches(marks: Marks, grid: Grid) -> Marks:
    """Patches that hold a marked pixel.

    Args:
        marks: Bool, (H, W).
        grid: Rows and columns of mask patches.

    Returns:
        Bool, ``grid``; True = hidden from the model.
    """
    rows, columns = _places(marks.shape[0], grid[0]), _places(marks.shape[1], grid[1])
    touched = np.zeros(grid, dtype=bool)
    y, x = np.nonzero(marks)
    touched[rows[y], columns[x]] = True
    return touched


def pixels_of(patches: Marks, size: tuple[int, ...]) -> Marks:
    """Pixels of an image of ``size`` (H, W) that lie in hidden patches: Bool, (H, W)."""
    rows, columns = _places(size[0], patches.shape[0]), _places(size[1], patches.shape[1])
    return patches[np.ix_(rows, columns)]


def check_marks(marks: Marks, size: tuple[int, ...], grid: Grid, *, name: str) -> None:
    """Refuse a mask with which nothing can be painted.

    Args:
        marks: Bool, (H, W).
        size: Height and width of the image.
        grid: Rows and columns of mask patches.
        name: Of the mask, for the error.

    Raises:
        BenchError: If the size differs, no pixel is marked, or every patch is touched.
    """
    if marks.shape != tuple(size):
        raise BenchError(
            f"{name} is {marks.shape[1]}x{marks.shape[0]}, the image is {size[1]}x{size[0]}; "
            f"draw the mask over the image itself"
        )
    if not marks.any():
        raise BenchError(f"{name} marks no pixel; paint white what is to be replaced")
    if touched_patches(marks, grid).all():
        raise BenchError(
            f"{name} touches all {grid[0] * grid[1]} patches of the model ({grid[0]} rows of "
            f"{grid[1]}), so nothing stays to paint from; hide fewer of them, "
            f"or take a model with smaller ones"
        )


def _places(pixels: int, patches: int) -> np.ndarray:
    return np.arange(pixels) * patches // pixels
