"""Convert the segmentation part of PASCAL VOC 2012 to the layout of ADE20K; 255 is ignored.

Classes: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/segexamples/index.html
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from simmim_bench.data.prepare.parallel import in_parallel
from simmim_bench.errors import BenchError
from simmim_bench.io import read_text
from simmim_bench.progress import progress_bar

TOP = "VOCdevkit/VOC2012"
IMAGES, MAPS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv monitor",
)  # fmt: skip
IGNORED = 255
"""Outlines of objects."""
SPLITS = {"train": "training", "val": "validation"}


def write_voc(source: Path, folder: Path, *, place: Callable[[Path, Path], object]) -> None:
    """Write ``images/``, ``annotations/`` and ``classes.txt`` of the images that have label maps.

    Label maps have a palette in VOC; here they are grey, with the same values.

    Args:
        source: ``VOC2012``.
        folder: Existing folder.
        place: Moves or links an image to its new path.

    Raises:
        BenchError: If a list, an image or a label map is missing, or a map has an unknown label.
    """
    for split, name in SPLITS.items():
        for kind in ("images", "annotations"):
            (folder / kind / name).mkdir(parents=True)
        stems = _listed(source, split)
        jobs = [
            (source / MAPS / f"{stem}.png", folder / "annotations" / name / f"{stem}.png")
            for stem in stems
        ]
        with progress_bar(f"label maps, {name}", len(jobs)) as advance:
            for problem in in_parallel(_convert, jobs, advance):
                if problem:
                    raise BenchError(problem)
        for stem in stems:
            image = f"{stem}.jpg"
            place(source / IMAGES / image, folder / "images" / name / image)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", "utf-8")


def find_voc(source: Path) -> Path | None:
    """Unpacked ``VOC2012`` at or below ``source``, or None."""
    for folder in (source, source / "VOC2012", source / TOP):
        if all((folder / part).is_dir() for part in (IMAGES, MAPS, LISTS)):
            return folder.resolve()
    return None


def _listed(source: Path, split: str) -> list[str]:
    """Names without suffix of a split, whose image and label map exist."""
    listing = source / LISTS / f"{split}.txt"
    if not listing.is_file():
        raise BenchError(f"{TOP} has no {LISTS}/{listing.name}; download the archive again")
    stems = read_text(listing).split()
    for stem in stems:
        for path in (source / IMAGES / f"{stem}.jpg", source / MAPS / f"{stem}.png"):
            if "/" in stem or not path.is_file():
                raise BenchError(
                    f"{LISTS}/{listing.name} lists {stem}, but {TOP} has no "
                    f"{path.parent.name}/{path.name}; download the archive again"
                )
    return stems


def _convert(job: tuple[Path, Path]) -> str | None:
    """Write one label map; returns a problem, or None."""
    label, target = job
    try:
        with Image.open(label) as image:
            mode, values = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's, of damaged files
        return f"{MAPS}/{label.name} cannot be read ({error}); download the archive again"
    if mode not in ("P", "L"):
        return (
            f"{MAPS}/{label.name} is an image of mode {mode}, expected a label map with a palette; "
            "download the archive again"
        )
    unknown = set(np.unique(values).tolist()) - {*range(len(CLASSES)), IGNORED}
    if unknown:
        return (
            f"{MAPS}/{label.name} has the label {min(unknown)}, expected 0 to "
            f"{len(CLASSES) - 1} and {IGNORED}; download the archive again"
        )
    Image.fromarray(values).save(target)
    return None
