"""The two kinds of JSON beside the images: COCO instances and the dataset's description."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simmim_bench.data.demo.digits import half_indices
from simmim_bench.data.demo.files import Written, image_path
from simmim_bench.data.demo.photos import PHOTOS
from simmim_bench.data.demo.spec import CLASSES, VERSION, DemoSpec, Split

DATASET_FILE = "dataset.json"


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
