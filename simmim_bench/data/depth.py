"""Depth maps: PNGs of 16 bits, one channel; 0 where the depth is not known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from simmim_bench.errors import BenchError

BITS = {"uint8": 8, "uint16": 16}


def read_depth(path: Path) -> NDArray[np.uint16]:
    """Values (H, W) of a depth map, in the unit of its file.

    Raises:
        BenchError: If it cannot be read, has another number of bits or channels, or no depth at
            all.
    """
    if not path.is_file():
        raise BenchError(f"depth map {path} does not exist; add it, or remove its image")
    try:
        depth = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error):
        depth = None
    if depth is None:
        raise BenchError(f"depth map {path} cannot be read; restore it, or remove its image")
    if depth.dtype != np.uint16 or depth.ndim != 2:
        channels = depth.shape[2] if depth.ndim == 3 else 1
        raise BenchError(
            f"depth map {path} has {BITS.get(str(depth.dtype), depth.dtype)} bits and {channels} "
            "channel(s), expected a PNG of 16 bits and 1 channel; convert it"
        )
    if not depth.any():
        raise BenchError(
            f"depth map {path} has no depth, all its pixels are 0; restore it, or remove its image"
        )
    return depth.astype(np.uint16, copy=False)
