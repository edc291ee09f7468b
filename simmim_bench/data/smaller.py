"""Images as they are packed: their files as they are, or written smaller."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from simmim_bench.data.pixels import read_header, read_pixels

QUALITY = 95
"""Of JPEGs that are written; more makes files larger than those of ImageNet."""
BATCH = 512
"""Images in memory at once."""

Packed = tuple[str, bytes]
"""Suffix, such as ``.jpg``, and content of a file."""


def contents(images: Sequence[Path], short_side: int | None) -> Iterator[Packed]:
    """The images in their order.

    Args:
        images: Files.
        short_side: Shorter side in pixels to which larger images are reduced; None: none is.
    """
    if short_side is None:
        for path in images:
            yield path.suffix.lower(), path.read_bytes()
        return
    # decoding, resizing and encoding hold no lock
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            yield from threads.map(partial(reduced, short_side=short_side), batch)


def reduced(path: Path, short_side: int) -> Packed:
    """An image whose shorter side is at most ``short_side``; smaller ones stay as they are.

    Resized by Pillow's antialiased bicubic filter to RGB of 8 bits, and written as a JPEG of
    quality 95 with full colour resolution.

    Raises:
        UnreadableImageError: If it cannot be read.
    """
    shorter = min(read_header(path).size)
    if shorter <= short_side:
        return path.suffix.lower(), path.read_bytes()
    image = Image.fromarray(read_pixels(path))
    size = [max(1, round(length * short_side / shorter)) for length in image.size]
    stream = io.BytesIO()
    smaller = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    smaller.save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return ".jpg", stream.getvalue()
