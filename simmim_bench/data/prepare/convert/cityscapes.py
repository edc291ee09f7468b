"""Convert Cityscapes to the layout of ADE20K, with the 19 evaluation classes; 255 is ignored.

Label table: https://github.com/mcordts/cityscapesScripts, cityscapesscripts/helpers/labels.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from simmim_bench.data.prepare.parallel import in_parallel
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

PARTS = ("leftImg8bit", "gtFine")
"""Folders that the two archives unpack to."""

IGNORED = 255
KNOWN_IDS = 34  # 0 to 33; the licence plate, -1, is never drawn

CLASSES = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}
"""Ids of the classes; their order is the order of training labels."""

SPLITS = {"train": "training", "val": "validation"}

_IMAGE, _MAP = "_leftImg8bit.png", "_gtFine_labelIds.png"


def write_cityscapes(
    images: Path, maps: Path, folder: Path, *, place: Callable[[Path, Path], object]
) -> None:
    """Write ``images/``, ``annotations/`` and ``classes.txt``; the test split has no labels.

    Args:
        images: ``leftImg8bit`` with a folder per split and city.
        maps: ``gtFine``, with the same folders.
        folder: Existing folder.
        place: Moves or links an image to its new path.

    Raises:
        BenchError: If an image has no label map, or a map holds an unknown label.
    """
    for split, name in SPLITS.items():
        pairs = _pairs(images / split, maps / split)
        for kind in ("images", "annotations"):
            (folder / kind / name).mkdir(parents=True)
        targets = [folder / "annotations" / name / f"{stem}.png" for stem in pairs]
        jobs = [(label, target) for (_, label), target in zip(pairs.values(), targets, strict=True)]
        with progress_bar(f"label maps, {name}", len(jobs)) as advance:
            for problem in in_parallel(partial(_convert, lookup=lookup_table()), jobs, advance):
                if problem:
                    raise BenchError(problem)
        for stem, (image, _) in pairs.items():
            place(image, folder / "images" / name / f"{stem}.png")
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", "utf-8")


def lookup_table() -> np.ndarray:
    """Training label of each id, (256,), uint8."""
    table = np.full(256, IGNORED, np.uint8)
    table[list(CLASSES.values())] = np.arange(len(CLASSES))
    return table


def _pairs(images: Path, maps: Path) -> dict[str, tuple[Path, Path]]:
    """Image and label map by their common name, sorted."""
    pairs = {}
    for image in sorted(images.glob(f"*/*{_IMAGE}")):
        stem = image.name.removesuffix(_IMAGE)
        label = maps / image.parent.name / f"{stem}{_MAP}"
        if not label.is_file():
            raise BenchError(
                f"{image.name} has no {label.name} in {PARTS[1]}; download both archives again"
            )
        pairs[stem] = (image, label)
    if not pairs:
        raise BenchError(
            f"{images.parent.name}/{images.name} has no <city>/*{_IMAGE}; download the archive "
            "again"
        )
    return pairs


def _convert(job: tuple[Path, Path], lookup: np.ndarray) -> str | None:
    """Write one label map; returns a problem, or None."""
    label, target = job
    try:
        with Image.open(label) as image:
            ids = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{label.name} cannot be read ({error}); download {PARTS[1]} again"
    if ids.ndim != 2 or ids.dtype != np.uint8 or ids.max() >= KNOWN_IDS:
        return (
            f"{label.name} has {ids.dtype} labels up to {ids.max()}, expected ids 0 to "
            f"{KNOWN_IDS - 1}; download {PARTS[1]} again"
        )
    Image.fromarray(lookup[ids]).save(target)
    return None
