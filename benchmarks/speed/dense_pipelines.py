"""Pipelines of COCO and ADE20K: from the files to what a model is given, on one core.

The recipes' own data sets, and those of mmdet and mmseg with the same steps, which read images with
OpenCV. Masks of a sample are made, as the model needs them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from benchmarks.speed.work import OURS, Work
from simmim_bench.data.demo.sources import PHOTOS
from simmim_bench.errors import BenchError

COLOURED = ("astronaut", "coffee", "china", "motorcycle_left", "chelsea", "rocket", "flower")
COCO_SIZES = ((640, 480), (480, 640), (640, 427))  # width, height
ADE_SIZES = ((683, 512), (512, 683), (768, 512))
QUALITY = 92
BLOCK = 4  # pixels a side of equal labels; the maps are made faster so
CLASSES = {"mmdet": 80, "mmseg": 150}
TRAIN, VAL = 1.3, 1.2
"""Targets."""


class Recipe(NamedTuple):
    """A pipeline of a config."""

    name: str
    config: str
    loader: str
    target: float


RECIPES = {
    "mmdet": (
        Recipe("COCO, training at several scales", "mask-rcnn_swin-b_fpn_3x", "train", TRAIN),
        Recipe("COCO, training at one scale", "mask-rcnn_swin-b_fpn_1x", "train", TRAIN),
        Recipe("COCO, validation", "mask-rcnn_swin-b_fpn_3x", "val", VAL),
    ),
    "mmseg": (
        Recipe("ADE20K, training", "upernet_swin-b_160k", "train", TRAIN),
        Recipe("ADE20K, validation", "upernet_swin-b_160k", "val", VAL),
    ),
}
FOLDERS = {"mmdet": "coco", "mmseg": "ade20k"}


def works(small: bool) -> Iterator[Work]:
    """Each pipeline on 60 images (3 if ``small``)."""
    import cv2
    from mmengine.registry import DefaultScope

    from simmim_bench import ops

    ops.install()
    cv2.setNumThreads(1)  # as in a worker
    number = 3 if small else 60
    with tempfile.TemporaryDirectory() as folder:
        make_coco(Path(folder), number)
        make_ade20k(Path(folder), number)
        for scope, recipes in RECIPES.items():
            for recipe in recipes:
                with (
                    mock.patch.dict(os.environ, SIMMIM_BENCH_DATA=folder),
                    DefaultScope.overwrite_default_scope(scope),
                ):
                    ours, theirs = build(recipe, scope)
                yield Work(
                    name=f"{recipe.name}, {number} images",
                    unit="images",
                    amount=number,
                    runs={OURS: partial(all_of, ours), scope: partial(all_of, theirs)},
                    target=recipe.target,
                    limit=partial(decode, ours),
                    equal=compared(ours, theirs),
                )


def build(recipe: Recipe, scope: str) -> tuple[Any, Any]:
    """Our data set and that of the library with the same steps."""
    from simmim_bench.config import load_config
    from simmim_bench.registry import DATASETS

    path = f"configs/{FOLDERS[scope]}/{recipe.config}.py"
    cfg = load_config(path)[f"{recipe.loader}_dataloader"].dataset.to_dict()
    stock = {key: value for key, value in cfg.items() if key != "num_classes"}
    stock["pipeline"] = [{"type": "LoadImageFromFile"}, *cfg["pipeline"][1:]]
    if scope == "mmdet":
        names = [f"class {number}" for number in range(1, CLASSES[scope] + 1)]
        stock |= {"type": "mmdet.CocoDataset", "metainfo": {"classes": names}}
    else:
        del stock["reduce_zero_label"]
        stock["type"] = "mmseg.ADE20KDataset"
    with contextlib.redirect_stdout(io.StringIO()):
        return DATASETS.build(cfg), DATASETS.build(stock)


def sample(dataset: Any, index: int, seed: int) -> Any:
    """Sample ``index``, of which the masks are made."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    packed = dataset[index]
    instances = packed["data_samples"].get("gt_instances", {})
    if "masks" in instances:
        _ = instances.masks.masks
    return packed


def all_of(dataset: Any) -> None:
    """All samples, with the same random numbers in each run."""
    for index in range(len(dataset)):
        sample(dataset, index, index)


def decode(dataset: Any) -> None:
    """Only decode the JPEGs."""
    import cv2

    for index in range(len(dataset)):
        cv2.imread(dataset.get_data_info(index)["img_path"])


def compared(ours: Any, theirs: Any) -> str:
    """Compare images, boxes, masks and label maps of all samples.

    Raises:
        BenchError: If one differs, an image by more than a level.
    """
    import torch

    largest = 0
    for index in range(len(ours)):
        found, expected = sample(ours, index, index), sample(theirs, index, index)
        image, other = found["inputs"].int(), expected["inputs"].int()
        if image.shape != other.shape:
            raise BenchError(f"images are {tuple(image.shape)} and {tuple(other.shape)}")
        largest = max(largest, int((image - other).abs().max()))
        for mine, their in zip(parts(found), parts(expected), strict=True):
            if not torch.equal(mine, their):
                raise BenchError(f"annotations of sample {index} differ")
    if largest > 1:
        raise BenchError(f"images differ by {largest} levels")
    return f"images: {largest} levels; boxes, masks, labels: 0"


def parts(packed: Any) -> list[Any]:
    """Tensors of the annotations of a sample."""
    import torch

    packed = packed["data_samples"]
    if "gt_sem_seg" in packed:
        return [packed.gt_sem_seg.data]
    instances = packed.gt_instances
    masks = [torch.from_numpy(instances.masks.masks)] if "masks" in instances else []
    return [instances.bboxes.tensor, instances.labels, *masks]


def make_coco(folder: Path, number: int) -> None:
    """Images with 3 to 12 objects, whose masks are polygons of 8 to 60 corners, in both splits."""
    generator = np.random.default_rng(0)
    root = folder / "coco"
    images, annotations = [], []
    for index, (name, width, height) in enumerate(photos(root / "train2017", number, COCO_SIZES)):
        images.append({"id": index, "file_name": name, "width": width, "height": height})
        for _ in range(generator.integers(3, 13)):
            radius = min(generator.exponential(70) + 8, 200)
            centre = generator.uniform(0, 1, 2) * [width, height]
            angles = np.sort(generator.uniform(0, 2 * np.pi, generator.integers(8, 61)))
            outline = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            outline *= radius * generator.uniform(0.6, 1, (len(angles), 1))
            corners = np.clip(centre + outline, 0, [width, height]).round(2)
            start, size = corners.min(0), np.ptp(corners, axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": int(generator.integers(1, CLASSES["mmdet"] + 1)),
                    "bbox": [*start.tolist(), *size.tolist()],
                    "area": float(0.7 * size.prod()),
                    "iscrowd": 0,
                    "segmentation": [corners.ravel().tolist()],
                }
            )
    categories = [{"id": one, "name": f"class {one}"} for one in range(1, CLASSES["mmdet"] + 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations").mkdir()
    for split in ("train", "val"):
        (root / f"annotations/instances_{split}2017.json").write_text(json.dumps(content))
    (root / "val2017").symlink_to(root / "train2017")


def make_ade20k(folder: Path, number: int, classes: int = CLASSES["mmseg"]) -> None:
    """Images with label maps of 25 regions, in both splits."""
    from PIL import Image

    generator = np.random.default_rng(1)
    root = folder / "ade/ADEChallengeData2016"
    labels = root / "annotations/training"
    labels.mkdir(parents=True)
    for name, width, height in photos(root / "images/training", number, ADE_SIZES):
        places = generator.uniform(0, 1, (25, 2)) * [height, width]
        rows, columns = np.mgrid[:height:BLOCK, :width:BLOCK]
        distances = [(rows - top) ** 2 + (columns - left) ** 2 for top, left in places]
        regions = generator.integers(0, classes + 1, 25)[np.argmin(distances, axis=0)]
        whole = regions.astype(np.uint8).repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]
        Image.fromarray(whole).save(labels / f"{Path(name).stem}.png")
    for kind in ("images", "annotations"):
        (root / kind / "validation").symlink_to(root / kind / "training")


def photos(
    folder: Path, number: int, sizes: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, int, int]]:
    """Write packaged photographs as JPEGs; yield name, width and height."""
    from PIL import Image

    folder.mkdir(parents=True)
    sources = [photo.path() for photo in PHOTOS if photo.name in COLOURED]
    for index in range(number):
        size = sizes[index % len(sizes)]
        with Image.open(sources[index % len(sources)]) as image:
            image.convert("RGB").resize(size).save(folder / f"{index:04d}.jpg", quality=QUALITY)
        yield f"{index:04d}.jpg", *size
