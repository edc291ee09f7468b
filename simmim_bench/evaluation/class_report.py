"""What a single figure hides: results by class, what is taken for what, the worst images."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.ops import box_iou

WORST = 16  # images
CONFIDENT = 0.3  # score from which a detection counts as said
OVERLAP = 0.5  # intersection over union from which it is right


@dataclass(order=True, frozen=True)
class Bad:
    """An image, how well it went (0 to 1), and what to say below it."""

    score: float
    path: str
    note: str = field(compare=False)


class ClassReport:
    """Counts of one evaluation; subclasses say how one image is counted.

    Args:
        classes: Names, in the order of labels.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        size = len(self.classes)
        self.confusion: NDArray[np.int64] = np.zeros((size, size), np.int64)  # [true, predicted]
        self.worst: list[Bad] = []
        self.more: dict[str, list[float]] = {}
        """Further columns of ``rows``, a figure a class."""

    def add(self, sample: Mapping[str, Any]) -> None:
        """Count one image.

        Args:
            sample: A data sample of the library, with ``img_path``.
        """
        score, note = self._count(sample)
        self.worst.append(Bad(score, str(sample.get("img_path", "")), note))
        if len(self.worst) > 4 * WORST:
            self.worst = heapq.nsmallest(WORST, self.worst)

    def rows(self) -> list[dict[str, float | str]]:
        """Per class: name and its figures in percent; NaN where the class does not occur."""
        return [
            {**row, **{name: column[number] for name, column in self.more.items()}}
            for number, row in enumerate(self._rows())
        ]

    def _rows(self) -> list[dict[str, float | str]]:
        raise NotImplementedError

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        raise NotImplementedError


class ClassificationReport(ClassReport):
    """Accuracy by class; an image's score is the probability of its true class."""

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
    """IoU and accuracy of pixels by class; an image's score is its mean IoU.

    Args:
        classes: Names, in the order of labels.
        ignore_index: Label that is not counted.
    """

    def __init__(self, classes: Sequence[str], *, ignore_index: int = 255) -> None:
        super().__init__(classes)
        self.ignore_index = ignore_index

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        truth = sample["gt_sem_seg"]["data"].flatten().cpu().numpy().astype(np.int64)
        predicted = sample["pred_sem_seg"]["data"].flatten().cpu().numpy().astype(np.int64)
        counted = truth != self.ignore_index
        size = len(self.classes)
        pairs = size * truth[counted] + predicted[counted]
        own = np.bincount(pairs, minlength=size * size).reshape(size, size)
        self.confusion += own
        iou = _iou(own)
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
    """Found objects by class; an image's score is F1 of its confident detections.

    The confusion matrix has a last row and column for nothing: a detection of nothing, an object
    that was missed. Objects and detections are paired greedily by box overlap, whatever their
    class.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__([*classes, "nothing"])

    def _count(self, sample: Mapping[str, Any]) -> tuple[float, str]:
        truth, said = sample["gt_instances"], sample["pred_instances"]
        kept = said["scores"] >= CONFIDENT
        labels, boxes = said["labels"][kept].cpu(), said["bboxes"][kept].cpu()
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
        objects, said = self.confusion.sum(1), self.confusion.sum(0)
        columns = objects, _percent(right, objects), _percent(right, said)
        rows = zip(self.classes[:-1], *(column[:-1] for column in columns), strict=True)
        return [
            {"class": name, "objects": float(n), "recall": float(recall), "precision": float(p)}
            for name, n, recall, p in rows
        ]


REPORTS: dict[str, type[ClassReport]] = {
    "classification": ClassificationReport,
    "detection": DetectionReport,
    "segmentation": SegmentationReport,
    "vqa": ClassificationReport,
}
"""By task of a protocol."""


def _percent(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.full(len(whole), np.nan)
    np.divide(100.0 * part, whole, out=shares, where=whole > 0)
    return shares


def _iou(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    right = np.diag(confusion)
    return _percent(right, confusion.sum(0) + confusion.sum(1) - right)


def _boxes(boxes: Any) -> torch.Tensor:
    """Plain tensor (n, 4) of mmdet's boxes."""
    return torch.as_tensor(getattr(boxes, "tensor", boxes)).cpu().float()


def _paired(objects: torch.Tensor, detections: torch.Tensor) -> list[tuple[int, int]]:
    """Pairs (object, detection) of most overlap first, each used once."""
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
