"""Reports of an evaluation: results of each class, the confusion matrix and the worst images."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.ops import box_iou

from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.shown_bands import read_picture
from simmim_bench.io import atomic_write_text, csv_text
from simmim_bench.plots import new_figure, save_figure

WORST = 16  # images
CONFIDENT = 0.3  # smallest score of a detection that counts
OVERLAP = 0.5  # smallest intersection over union of an object and its detection
MOST_NAMES = 40  # most classes whose names fit along an axis
COLUMNS = 4  # of the picture of the worst images
SIDE = 160  # pixels of a thumbnail

REPORTS: dict[str, type[ClassReport]] = {}
"""Reports by task of a protocol; ``ClassReport`` adds its subclasses."""


@dataclass(order=True, frozen=True)
class ScoredImage:
    """An image, its score (0 to 1) and a note for the picture."""

    score: float
    path: str
    note: str = field(compare=False)


class ClassReport:
    """Counts of one evaluation. A subclass states its tasks and counts one image.

    Args:
        classes: Names, in the order of labels.

    Attributes:
        tasks: Tasks of the protocols that the report is for.
        fields: Fields that a data sample must have.
    """

    tasks: ClassVar[tuple[str, ...]] = ()
    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        REPORTS.update(dict.fromkeys(cls.tasks, cls))

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        size = len(self.classes)
        self.confusion: NDArray[np.int64] = np.zeros((size, size), np.int64)  # [true, predicted]
        self.worst: list[ScoredImage] = []
        self.more: dict[str, list[float]] = {}
        """Further columns of ``rows``: a number for each class."""

    def add(self, sample: Mapping[str, Any]) -> None:
        """Count one image.

        Args:
            sample: A data sample of the library, with ``img_path``.
        """
        score, note = self._count(sample)
        self.worst.append(ScoredImage(score, str(sample.get("img_path", "")), note))
        if len(self.worst) > 4 * WORST:
            self.worst = heapq.nsmallest(WORST, self.worst)

    def rows(self) -> list[dict[str, float | str]]:
        """Name and results of each class, in percent; NaN if the class does not occur."""
        return [
            {**row, **{name: column[number] for name, column in self.more.items()}}
            for number, row in enumerate(self._rows())
        ]

    def _rows(self) -> list[dict[str, float | str]]:
        """Name and results of each class; every report defines it."""
        raise NotImplementedError

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        """Count a sample: its score and what is wrong with it; every report defines it."""
        raise NotImplementedError


class ClassificationReport(ClassReport):
    """Accuracy of each class. The score of an image is the probability of its true class."""

    tasks = ("classification", "vqa")
    fields = ("pred_score", "gt_label")

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        scores, truth = sample["pred_score"], int(sample["gt_label"][0])
        predicted = int(scores.argmax())
        self.confusion[truth, predicted] += 1
        names = self.classes[truth], self.classes[predicted]
        return float(scores[truth]), f"{names[0]}, taken for {names[1]}"

    def _rows(self) -> list[dict[str, float | str]]:
        count = self.confusion.sum(1)
        accuracy = _percent(np.diag(self.confusion), count)
        return [
            {"class": name, "images": float(n), "accuracy": float(value)}
            for name, n, value in zip(self.classes, count, accuracy, strict=True)
        ]


class SegmentationReport(ClassReport):
    """IoU and pixel accuracy of each class. The score of an image is its mean IoU.

    Args:
        classes: Names, in the order of labels.
        ignore_index: Label of pixels that are not counted.
    """

    tasks = ("segmentation",)
    fields = ("pred_sem_seg", "gt_sem_seg")

    def __init__(self, classes: Sequence[str], *, ignore_index: int = 255) -> None:
        super().__init__(classes)
        self.ignore_index = ignore_index

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        truth = sample["gt_sem_seg"]["data"].flatten().cpu().numpy().astype(np.int64)
        predicted = sample["pred_sem_seg"]["data"].flatten().cpu().numpy().astype(np.int64)
        counted = truth != self.ignore_index
        size = len(self.classes)
        pairs = size * truth[counted] + predicted[counted]
        confusion = np.bincount(pairs, minlength=size * size).reshape(size, size)
        self.confusion += confusion
        iou = _iou(confusion)
        mean = float(np.nanmean(iou)) if np.isfinite(iou).any() else 100.0
        return mean / 100, f"mIoU {mean:.1f}"

    def _rows(self) -> list[dict[str, float | str]]:
        count = self.confusion.sum(1)
        columns = count, _iou(self.confusion), _percent(np.diag(self.confusion), count)
        return [
            {"class": name, "pixels": float(n), "IoU": float(iou), "accuracy": float(accuracy)}
            for name, n, iou, accuracy in zip(self.classes, *columns, strict=True)
        ]


class DetectionReport(ClassReport):
    """Detected objects of each class. The score of an image is F1 of its confident detections.

    The last row and column of the confusion matrix, "nothing", hold detections without an object
    and missed objects. Objects and detections are paired greedily by box overlap, whatever their
    class.
    """

    tasks = ("detection",)
    fields = ("pred_instances", "gt_instances")

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__([*classes, "nothing"])

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        truth, predicted = sample["gt_instances"], sample["pred_instances"]
        kept = predicted["scores"] >= CONFIDENT
        labels, boxes = predicted["labels"][kept].cpu(), predicted["bboxes"][kept].cpu()
        pairs = _paired(_boxes(truth["bboxes"]), boxes)
        objects = truth["labels"].cpu()
        nothing = len(self.classes) - 1
        right = 0
        for row, column in pairs:
            self.confusion[objects[row], labels[column]] += 1
            right += int(objects[row] == labels[column])
        for row in set(range(len(objects))) - {row for row, _ in pairs}:
            self.confusion[objects[row], nothing] += 1
        for column in set(range(len(labels))) - {column for _, column in pairs}:
            self.confusion[nothing, labels[column]] += 1
        total = len(objects) + len(labels)
        score = 2 * right / total if total else 1.0
        return score, f"{right} of {len(objects)} found, {len(labels) - right} wrong"

    def _rows(self) -> list[dict[str, float | str]]:
        right = np.diag(self.confusion)
        objects, detections = self.confusion.sum(1), self.confusion.sum(0)
        columns = objects, _percent(right, objects), _percent(right, detections)
        rows = zip(self.classes[:-1], *(column[:-1] for column in columns), strict=True)
        return [
            {"class": name, "objects": float(n), "recall": float(recall), "precision": float(p)}
            for name, n, recall, p in rows
        ]


def _percent(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.full(len(whole), np.nan)
    np.divide(100.0 * part, whole, out=shares, where=whole > 0)
    return shares


def _iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    right = np.diag(confusion)
    return _percent(right, confusion.sum(0) + confusion.sum(1) - right)


def _boxes(boxes: Any) -> torch.Tensor:
    """Boxes of mmdet as a plain tensor, (n, 4)."""
    return torch.as_tensor(getattr(boxes, "tensor", boxes)).cpu().float()


def _paired(objects: torch.Tensor, detections: torch.Tensor) -> list[tuple[int, int]]:
    """Pairs (object, detection), those of most overlap first; each is used once."""
    if not len(objects) or not len(detections):
        return []
    overlaps = box_iou(objects, detections)
    pairs: list[tuple[int, int]] = []
    for flat in overlaps.flatten().argsort(descending=True).tolist():
        row, column = divmod(flat, overlaps.shape[1])
        if overlaps[row, column] < OVERLAP:
            break
        if all(row != r and column != c for r, c in pairs):
            pairs.append((row, column))
    return pairs


def write_report(report: ClassReport, folder: Path) -> None:
    """Write ``per_class.csv``, ``confusion.csv`` and ``.png``, ``worst.csv`` and ``.png``."""
    rows = report.rows()
    atomic_write_text(folder / "per_class.csv", csv_text([list(rows[0]), *map(_values, rows)]))
    matrix = [
        [name, *counts]
        for name, counts in zip(report.classes, report.confusion.tolist(), strict=True)
    ]
    atomic_write_text(folder / "confusion.csv", csv_text([["true", *report.classes], *matrix]))
    worst = sorted(report.worst)
    listed = [[bad.path, f"{bad.score:.4f}", bad.note] for bad in worst]
    atomic_write_text(folder / "worst.csv", csv_text([["image", "score", "note"], *listed]))
    _draw_confusion(report, folder / "confusion.png")
    if worst:
        _draw_worst(worst, folder / "worst.png")


def _values(row: dict[str, float | str]) -> list[str]:
    return [value if isinstance(value, str) else _number(value) for value in row.values()]


def _number(value: float) -> str:
    """Integers without decimals, other numbers with two; empty for NaN."""
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _draw_confusion(report: ClassReport, path: Path) -> None:
    """Draw shares of the true classes, so that rare classes are visible."""
    totals = report.confusion.sum(1, keepdims=True)
    shares = 100 * report.confusion / np.maximum(totals, 1)
    size = min(12.0, 3.0 + 0.3 * len(report.classes))
    figure = new_figure(width=size + 1, height=size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100)
    axes.set(xlabel="predicted", ylabel="true")
    if len(report.classes) <= MOST_NAMES:
        axes.set_xticks(range(len(report.classes)), labels=report.classes, rotation=90)
        axes.set_yticks(range(len(report.classes)), labels=report.classes)
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    save_figure(figure, path)


def _draw_worst(worst: list[ScoredImage], path: Path) -> None:
    rows = -(-len(worst) // COLUMNS)
    figure = new_figure(width=2.4 * COLUMNS, height=2.6 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes in panels:
        axes.axis("off")
    for axes, bad in zip(figure.axes, worst, strict=False):
        axes.imshow(_thumbnail(Path(bad.path)))
        axes.set_title(f"{bad.note}\n{Path(bad.path).name}", fontsize=7)
    save_figure(figure, path)


def _thumbnail(path: Path) -> Any:
    """The image, scaled down; grey if it cannot be read."""
    try:
        small = Image.fromarray(read_picture(path))
    except UnreadableImageError:
        return np.full((SIDE, SIDE, 3), 200, np.uint8)
    small.thumbnail((SIDE, SIDE))
    return np.asarray(small)
