"""COCO's evaluation of detections that are columns: by hotcoco, else by pycocotools.

hotcoco (https://github.com/derekallman/hotcoco) gives the values of pycocotools. It refuses or
changes what pycocotools takes: scores and boxes that are not numbers, and ids that are text or
negative. Those, and platforms without hotcoco, are left to pycocotools.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from simmim_bench.errors import BenchError

try:
    import hotcoco
except ImportError:  # no wheel for this platform
    hotcoco = None  # type: ignore[assignment]

MAX_DETECTIONS = [1, 10, 100]
LARGEST_ID = 2**53  # of float64, in which hotcoco takes columns
NEEDED = {"bbox": "bbox", "segm": "segmentation"}
"""What an annotation must have, for each kind of evaluation."""

Columns = NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """All detections of a data set.

    Args:
        image_ids: (N,), of any type.
        category_ids: (N,), integers.
        boxes: (N, 4), float64: left, top, width, height in pixels.
        scores: (N,), float64.
        masks: N run-length masks with text as counts; None for boxes.
    """

    image_ids: Columns
    category_ids: Columns
    boxes: Columns
    scores: Columns
    masks: Sequence[dict[str, Any]] | None = None

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Args:
        stats: COCO's twelve metrics, from 0 to 1, or -1 if there is no object of a size.
        precision: (thresholds, recalls, classes), of all sizes and 100 detections; -1 without
            objects. Classes are sorted by id.
    """

    stats: list[float]
    precision: Columns


class GroundTruth:
    """An annotation file in COCO's layout.

    Args:
        content: Of the file. Annotations are numbered from 1, because COCOeval takes an id of 0 for
            "not matched", and get an ``iscrowd`` of 0 if they have none.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        for number, annotation in enumerate(content["annotations"], start=1):
            annotation["id"] = number
            annotation.setdefault("iscrowd", 0)
        self.content = content
        self._noted: set[str] = set()
        self.category_ids = {each["name"]: each["id"] for each in content["categories"]}

    @cached_property
    def of_hotcoco(self) -> Any:
        """Hotcoco's object; an exception of any kind if it cannot take the content."""
        if hotcoco is None:
            raise ImportError("hotcoco is not installed")
        ids = (each["id"] for key in ("images", "categories") for each in self.content[key])
        if any(type(one) is not int or not 0 <= one < LARGEST_ID for one in ids):
            raise ValueError(f"ids are not all integers from 0 to {LARGEST_ID - 1}")
        return hotcoco.COCO(self.content)

    @cached_property
    def masks_of_hotcoco(self) -> Any:
        """The same with run-length masks, into which each evaluation would turn polygons."""
        runs = [
            {**each, "segmentation": self.of_hotcoco.ann_to_rle(each)}
            for each in self.content["annotations"]
        ]
        return hotcoco.COCO({**self.content, "annotations": runs})

    @cached_property
    def of_pycocotools(self) -> COCO:
        """Pycocotools' object."""
        return _pycocotools(self.content)

    def evaluate(
        self, kind: str, detections: Detections, images: Iterable[Any], categories: Iterable[int]
    ) -> Evaluation:
        """Compare detections with the annotations.

        Args:
            kind: ``'bbox'`` or ``'segm'``. The size of a detection is the area of its box, or of
                its mask.
            detections: Of any images.
            images: Ids of the images that count.
            categories: Ids of the classes that count.

        Raises:
            BenchError: If an annotation has no box or no mask, as ``kind`` needs it.
        """
        for annotation in self.content["annotations"]:
            if not annotation.get(NEEDED[kind]):
                raise BenchError(
                    f"metric {kind!r} needs a {NEEDED[kind]} in each annotation; that of image "
                    f"{annotation['image_id']} has none: {str(annotation)[:100]}"
                )
        images, categories = sorted(set(images)), sorted(set(categories))
        try:
            truth = self.masks_of_hotcoco if kind == "segm" else self.of_hotcoco
            return _by_hotcoco(truth, kind, detections, images, categories)
        except Exception as error:  # it refuses input in several ways
            self._note(f"evaluation by pycocotools: {error}")
            return _by_pycocotools(self.of_pycocotools, kind, detections, images, categories)

    def _note(self, text: str) -> None:
        """Log a line once."""
        if text not in self._noted:
            MMLogger.get_current_instance().info(text)
            self._noted.add(text)


def _by_hotcoco(
    truth: Any, kind: str, detections: Detections, images: list[Any], categories: list[int]
) -> Evaluation:
    columns = [detections.image_ids[:, None], detections.boxes, detections.scores[:, None]]
    rows = np.concatenate([*columns, detections.category_ids[:, None]], axis=1, dtype=np.float64)
    if np.isnan(rows).any():
        raise ValueError("scores or boxes are not all numbers")
    if kind == "segm":
        masks = list(detections.masks or ())
        found = truth.load_res(rows, segmentation=masks)
        areas = np.asarray(hotcoco.mask.area(masks), np.float64)
        found.update_anns(ids=np.arange(1, len(masks) + 1), area=areas)  # else those of the boxes
    else:
        found = truth.load_res(rows)
    evaluation = hotcoco.COCOeval(truth, found, kind)
    evaluation.params.img_ids = images
    evaluation.params.cat_ids = categories
    evaluation.params.max_dets = MAX_DETECTIONS
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summary_lines()  # computes stats; summarize() prints them
    return _evaluation(evaluation)


def _by_pycocotools(
    truth: COCO, kind: str, detections: Detections, images: list[Any], categories: list[int]
) -> Evaluation:
    entries = [
        {"image_id": image, "category_id": category, "score": score}
        for image, category, score in zip(
            detections.image_ids.tolist(),
            detections.category_ids.tolist(),
            detections.scores.tolist(),
            strict=True,
        )
    ]
    shapes = detections.boxes.tolist() if kind == "bbox" else detections.masks or ()
    for entry, shape in zip(entries, shapes, strict=True):
        entry[NEEDED[kind]] = shape
    with contextlib.redirect_stdout(io.StringIO()):
        if entries:
            found = truth.loadRes(entries)
        else:  # which loadRes does not take
            found = _pycocotools({**truth.dataset, "annotations": []})
        evaluation = COCOeval(truth, found, kind)
        evaluation.params.imgIds = images
        evaluation.params.catIds = categories
        evaluation.params.maxDets = MAX_DETECTIONS
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return _evaluation(evaluation)


def _evaluation(done: Any) -> Evaluation:
    # (thresholds, recalls, classes, sizes, detections): all sizes, 100 detections
    precision = np.asarray(done.eval["precision"])[:, :, :, 0, -1]
    return Evaluation([float(value) for value in done.stats], precision)


def _pycocotools(content: dict[str, Any]) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = content
        coco.createIndex()
    return coco
