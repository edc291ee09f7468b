"""Files of the demo data: paths, images, COCO annotations and ``dataset.json``.

Masks are uncompressed run lengths of COCO: column by column, zeros first.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.demo.compose import Composed, Composer
from simmim_bench.data.demo.sources import PHOTOS, half_indices
from simmim_bench.data.demo.spec import CLASSES, VERSION, DemoSpec, Split

ADE = "ade/ADEChallengeData2016"
ADE_SPLITS = {"coco/train2017": "training", "coco/val2017": "validation"}
"""Splits of scenes, written for detection and for segmentation."""

DATASET_FILE = "dataset.json"


@dataclass(frozen=True)
class Job:
    """Images ``start`` to before ``stop`` of a split, written by one process."""

    spec: DemoSpec
    split: Split
    start: int
    stop: int
    folder: Path


@dataclass(frozen=True)
class Written:
    """Digest of a written image and, for scenes, its objects."""

    digest: bytes
    objects: tuple[dict[str, Any], ...]


def image_path(split: Split, index: int) -> Path:
    """Path of image ``index`` of ``split`` below the demo's folder."""
    if split.name in ADE_SPLITS:
        return Path(split.name, f"{index + 1:012d}.jpg")  # named by image id, as in COCO
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
    """Make the folders of all images."""
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


def instances_path(split: Split) -> Path:
    """COCO annotation file of a split of scenes, below the demo's folder."""
    return Path("coco", "annotations", f"instances_{Path(split.name).name}.json")


def write_instances(spec: DemoSpec, split: Split, written: list[Written], folder: Path) -> None:
    """Write COCO's instances JSON of one split of scenes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, scene in enumerate(written):
        name = image_path(split, index).name
        size = {"height": spec.scene_size, "width": spec.scene_size}
        images.append({"id": index + 1, "file_name": name, **size})
        for each in scene.objects:
            number = len(annotations) + 1
            annotations.append({"id": number, "image_id": index + 1, **each})
    document = {
        "info": {"description": f"simmim_bench demo data {VERSION}, {split.name}"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(CLASSES)],
    }
    path = folder / instances_path(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def describe(spec: DemoSpec, content_sha256: str) -> dict[str, Any]:
    """Content of ``dataset.json``."""
    return {
        "name": "simmim_bench demo: handwritten digits on photographs",
        "version": VERSION,
        "content_sha256": content_sha256,
        "fingerprint": spec.fingerprint(),
        "spec": asdict(spec),
        "counts": {split.name: split.count for split in spec.splits()},
        "classes": list(CLASSES),
        "halves": {split.name: split.half for split in spec.splits()},
        "photographs": {half: _photographs(half) for half in ("train", "val")},
        "digits": {half: _digits(half) for half in ("train", "val")},
        "semantic_values": {"ignored": 0, "background": 1}
        | {name: k + 2 for k, name in enumerate(CLASSES)},
        "encoding": "JPEG quality 95, 4:4:4; content_sha256 is of pixels and labels before it",
    }


def encode_mask(mask: NDArray[np.bool_]) -> list[int]:
    """Run lengths of False, True, False, ... in ``mask`` (H, W)."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    lengths: list[int] = np.diff(edges, prepend=0, append=flat.size).tolist()
    return lengths


def decode_mask(counts: list[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask of (H, W) = ``size`` from run lengths.

    Raises:
        ValueError: If the runs do not fill the mask.
    """
    if sum(counts) != size[0] * size[1] or min(counts, default=0) < 0:
        raise ValueError(f"runs of {sum(counts)} pixels do not fill a mask of {size[0]}x{size[1]}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")


def box_of(mask: NDArray[np.bool_]) -> list[int]:
    """Box [x, y, width, height] of a mask that is not empty."""
    (top, *_, bottom), (left, *_, right) = (
        np.flatnonzero(mask.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)
    )
    return [left, top, right - left + 1, bottom - top + 1]


def _write_ade(job: Job, index: int, composed: Composed, image: Path) -> None:
    link, semantic = (job.folder / path for path in ade_paths(job.split, index))
    Image.fromarray(composed.semantic_map()).save(semantic)
    try:
        os.link(image, link)
    except OSError:  # a file system without hard links
        shutil.copyfile(image, link)


def _objects(composed: Composed) -> tuple[dict[str, Any], ...]:
    """COCO fields of each digit that do not depend on other images."""
    height, width = composed.image.shape[:2]
    return tuple(
        {
            "category_id": instance.label + 1,
            "segmentation": {"counts": encode_mask(instance.mask), "size": [height, width]},
            "area": int(instance.mask.sum()),
            "bbox": box_of(instance.mask),
            "iscrowd": 0,
        }
        for instance in composed.instances
    )


def _photographs(half: str) -> list[dict[str, str]]:
    return [
        {
            "name": photo.name,
            "file": f"{photo.package}/{photo.file}",
            "licence": photo.licence,
            "credit": photo.credit,
        }
        for photo in PHOTOS
        if photo.half == half
    ]


def _digits(half: str) -> dict[str, Any]:
    indices = half_indices(half)
    return {
        "source": "sklearn.datasets.load_digits",
        "licence": "CC BY 4.0",
        "credit": "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998",
        "first": indices[0],
        "last": indices[-1],
        "count": len(indices),
    }
