"""Full-size JPEGs from the photographs that scikit-image and scikit-learn ship."""

from __future__ import annotations

from functools import partial
from multiprocessing import get_context
from pathlib import Path

SIZE = (500, 375)
"""Width and height, the median of ImageNet."""
QUALITY = 95


def make(folder: Path, count: int, distinct: int, processes: int) -> None:
    """Write ``distinct`` images, and links to them until there are ``count`` files.

    Args:
        folder: New folder for ``0.jpg``, ``1.jpg`` and so on.
        count: Number of files.
        distinct: Number of different images.
        processes: That write them.
    """
    folder.mkdir(parents=True)
    with get_context("fork").Pool(processes) as pool:
        pool.map(partial(_write, folder), range(min(count, distinct)))
    for number in range(distinct, count):
        (folder / f"{number}.jpg").hardlink_to(folder / f"{number % distinct}.jpg")


def _write(folder: Path, number: int) -> None:
    import numpy as np
    from PIL import Image

    from simmim_bench.data.demo.sources import PHOTOS

    draw = np.random.default_rng(number)
    photo = PHOTOS[int(draw.integers(len(PHOTOS)))]
    with Image.open(photo.path()) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    share = draw.uniform(0.6, 1.0)
    left, top = (draw.uniform(0, side * (1 - share)) for side in image.size)
    box = (left, top, left + share * width, top + share * height)
    image.resize(SIZE, Image.Resampling.BICUBIC, box=box).save(
        folder / f"{number}.jpg", quality=QUALITY
    )
