"""COCO's run lengths of a mask, uncompressed: column by column, zeros first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def encode(mask: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of False, True, False, ... in ``mask`` (H, W)."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    lengths: list[int] = np.diff(edges, prepend=0, append=flat.size).tolist()
    return lengths


def decode(counts: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask of (H, W) = ``size`` from run lengths.

    Raises:
        ValueError: If the runs do not fill the mask.
    """
    if sum(counts) != size[0] * size[1] or min(counts, default=0) < 0:
        raise ValueError(f"runs of {sum(counts)} pixels do not fill a mask of {size[0]}x{size[1]}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def box(mask: NDArray[np.bool_]) -> list[int]:
    """[x, y, width, height] of a mask that is not empty."""
    (top, *_, bottom), (left, *_, right) = (
        np.flatnonzero(mask.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)
    )
    return [left, top, right - left + 1, bottom - top + 1]
