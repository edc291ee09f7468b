"""COCO's metrics of boxes and of masks: from the detections of a whole set to the twelve values."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.speed.work import OURS, Work
from simmim_bench.errors import BenchError

HEIGHT, WIDTH = 480, 640
OBJECTS, DETECTIONS, CLASSES = 7, 28, 80  # an image; COCO has 7.4 objects
TARGETS = {"bbox": 100.0, "segm": 60.0}

Results = list[tuple[dict[str, Any], dict[str, Any]]]


def works(small: bool) -> Iterator[Work]:
    """Boxes and masks, 28 detections an image, on 2000 images (20 if ``small``)."""
    from simmim_bench import ops

    ops.install()
    images = 20 if small else 2000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instances.json"
        content, results = made(images)
        path.write_text(json.dumps(content))
        for kind, target in TARGETS.items():
            runs = {
                OURS: _of_ours(path, kind, results),
                "mmdet with pycocotools": _of_mmdet(path, kind, results),
                "mmdet with faster-coco-eval": _of_faster_coco_eval(path, kind, results),
            }
            last: dict[str, dict[str, float]] = {}
            yield Work(
                name=f"COCO evaluation, {kind}, {images * DETECTIONS} detections, {images} images",
                unit="detections",
                amount=images * DETECTIONS,
                runs={name: partial(_kept, last, name, run) for name, run in runs.items()},
                target=target,
                against=("mmdet with pycocotools",),
                equal=partial(_compared, last, path, kind, results),
            )


def _kept(last: dict[str, Any], name: str, run: Callable[[], Any]) -> None:
    """Evaluate, and keep the values for the comparison."""
    last[name] = run()


def made(images: int) -> tuple[dict[str, Any], Results]:
    """An annotation file with polygons, and what ``CocoMetric.process`` keeps of a model."""
    from pycocotools import mask as rle

    generator = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    annotations: list[dict[str, Any]] = []
    results: Results = []
    for image in range(1, images + 1):
        size = np.clip(generator.exponential(90, (OBJECTS, 2)) + 8, 8, 440)
        start = generator.uniform(0, 1, (OBJECTS, 2)) * ([WIDTH, HEIGHT] - size)
        labels = generator.integers(0, CLASSES, OBJECTS)
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        outline = outline * generator.uniform(0.6, 1, (OBJECTS, 24, 1)) / 2 + 0.5
        for each in zip(start, size, labels, outline, strict=True):
            annotations.append(_annotation(*each, image=image, number=len(annotations) + 1))
        times = DETECTIONS // OBJECTS
        size, start, outline = (np.repeat(one, times, axis=0) for one in (size, start, outline))
        start = start + generator.normal(0, 0.08, start.shape) * size
        other = generator.integers(0, CLASSES, DETECTIONS)
        masks = [
            rle.frPyObjects([(a + b * c).ravel().tolist()], HEIGHT, WIDTH)[0]
            for a, b, c in zip(start, size, outline, strict=True)
        ]
        found = {
            "img_id": image,
            "bboxes": np.concatenate([start, start + size], axis=1).astype(np.float32),
            "scores": generator.uniform(0, 1, DETECTIONS).astype(np.float32),
            "labels": np.where(generator.random(DETECTIONS) < 0.7, np.repeat(labels, times), other),
            "masks": masks,
        }
        results.append(({"img_id": image, "width": WIDTH, "height": HEIGHT}, found))
    content = {
        "images": [
            {"id": one, "width": WIDTH, "height": HEIGHT, "file_name": f"{one}.jpg"}
            for one in range(1, images + 1)
        ],
        "categories": [{"id": one + 1, "name": str(one)} for one in range(CLASSES)],
        "annotations": annotations,
    }
    return content, results


def _annotation(
    start: Any, size: Any, label: int, outline: Any, *, image: int, number: int
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": int(label) + 1,
        "bbox": [*start.tolist(), *size.tolist()],
        "area": float(0.6 * size.prod()),
        "iscrowd": 0,
        "segmentation": [(start + size * outline).ravel().tolist()],
    }


def _of_ours(path: Path, kind: str, results: Results) -> Callable[[], dict[str, float]]:
    from simmim_bench.tasks.detection import CocoMetric

    metric = CocoMetric(ann_file=str(path), metric=kind)
    metric.dataset_meta = {"classes": tuple(map(str, range(CLASSES)))}
    metric.process({}, [])  # reads the annotations
    return lambda: metric.compute_metrics(results)


def _of_mmdet(path: Path, kind: str, results: Results) -> Callable[[], dict[str, float]]:
    metric = _mmdet(path, kind)

    def run() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            return dict(metric.compute_metrics(results))

    return run


def _of_faster_coco_eval(path: Path, kind: str, results: Results) -> Callable[[], Any]:
    """The metric of mmdet with the classes of faster-coco-eval in the place of pycocotools'."""
    from faster_coco_eval import COCO, COCOeval_faster
    from mmdet.evaluation.metrics import coco_metric

    metric = _mmdet(path, kind)
    metric.cat_ids, metric.img_ids = (
        metric._coco_api.get_cat_ids(metric.dataset_meta["classes"]),
        metric._coco_api.get_img_ids(),
    )
    metric._coco_api = COCO(str(path))

    def run() -> Any:
        silent = contextlib.redirect_stdout(io.StringIO())
        with silent, mock.patch.object(coco_metric, "COCOeval", COCOeval_faster):
            return metric.compute_metrics(results)

    return run


def _mmdet(path: Path, kind: str) -> Any:
    import mmdet.evaluation

    with contextlib.redirect_stdout(io.StringIO()):
        metric = mmdet.evaluation.CocoMetric(ann_file=str(path), metric=kind)
    metric.dataset_meta = {"classes": tuple(map(str, range(CLASSES)))}
    return metric


def _compared(last: dict[str, dict[str, float]], path: Path, kind: str, results: Results) -> str:
    """Compare our values with those of pycocotools, and with the rounded ones of mmdet."""
    from simmim_bench.tasks import coco_evaluation

    mine, theirs = last[OURS], last["mmdet with pycocotools"]
    with mock.patch.object(coco_evaluation, "hotcoco", None):
        reference = _of_ours(path, kind, results)()
    gap = max(abs(mine[name] - reference[name]) for name in reference)
    rounded = {name: value for name, value in theirs.items() if name in mine}
    if gap > 1e-12 or any(abs(mine[name] - value) > 5.1e-4 for name, value in rounded.items()):
        raise BenchError(f"values differ by {gap:.1e}, or from those of mmdet")
    return f"12 values, pycocotools: {gap:.1e}; {len(rounded)} of mmdet: its rounding to 3 digits"
