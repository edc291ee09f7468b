"""Where each image of the demo data lies, and writing it there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from simmim_bench.data.demo import rle
from simmim_bench.data.demo.compose import Composed, Composer
from simmim_bench.data.demo.spec import CLASSES, DemoSpec, Split

ADE = "ade/ADEChallengeData2016"
ADE_SPLITS = {"coco/train2017": "training", "coco/val2017": "validation"}
"""Splits of scenes, which are written for detection and for segmentation."""


@dataclass(frozen=True)
class Job:
    """A run of images for one process: ``start`` to before ``stop``."""

    spec: DemoSpec
    split: Split
    start: int
    stop: int
    folder: Path


@dataclass(frozen=True)
class Written:
    """What remains of an image after it is written: its digest and, of a scene, its objects."""

    digest: bytes
    objects: tuple[dict[str, Any], ...]


def image_path(split: Split, index: int) -> Path:
    """Path of image ``index`` of ``split`` below the demo's folder."""
    if split.name in ADE_SPLITS:
        return Path(split.name, f"{index + 1:012d}.jpg")  # COCO's names: the image's id
    name = f"{index:05d}.jpg"
    if split.name == "unlabelled":
        return Path(split.name, name)
    return Path(split.name, CLASSES[index % len(CLASSES)], name)


def ade_paths(split: Split, index: int) -> tuple[Path, Path]:
    """Image and semantic map of a scene in ADE20K's layout, below the demo's folder."""
    part, stem = ADE_SPLITS[split.name], image_path(split, index).stem
    return (
        Path(ADE, "images", part, f"{stem}.jpg"),
        Path(ADE, "annotations", part, f"{stem}.png"),
    )


def make_folders(spec: DemoSpec, folder: Path) -> None:
    """Make every folder that images go into."""
    for split in spec.splits():
        for index in range(min(split.count, len(CLASSES))):
            paths = [image_path(split, index)]
            paths += ade_paths(split, index) if split.name in ADE_SPLITS else ()
            for path in paths:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)


def write_images(job: Job) -> list[Written]:
    """Compose and write the images of ``job``."""
    composer = Composer(spec=job.spec, half=job.split.half)
    written = []
    for index in range(job.start, job.stop):
        composed = composer.compose(job.split, index)
        path = job.folder / image_path(job.split, index)
        # 4:4:4: colour edges as sharp as grey ones
        Image.fromarray(composed.image).save(path, quality=95, subsampling=0)
        scene = job.split.name in ADE_SPLITS
        if scene:
            _write_ade(job, index, composed, path)
        written.append(Written(composed.digest(), _objects(composed) if scene else ()))
    return written


def _write_ade(job: Job, index: int, composed: Composed, image: Path) -> None:
    link, semantic = (job.folder / path for path in ade_paths(job.split, index))
    Image.fromarray(composed.semantic_map()).save(semantic)
    try:
        os.link(image, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(image, link)


def _objects(composed: Composed) -> tuple[dict[str, Any], ...]:
    """COCO's fields of each digit that do not depend on other images."""
    height, width = composed.image.shape[:2]
    return tuple(
        {
            "category_id": instance.label + 1,
            "segmentation": {"counts": rle.encode(instance.mask), "size": [height, width]},
            "area": int(instance.mask.sum()),
            "bbox": rle.box(instance.mask),
            "iscrowd": 0,
        }
        for instance in composed.instances
    )
