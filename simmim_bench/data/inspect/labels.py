"""What the labels of a data set say: classes and their balance, objects, ignored pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from simmim_bench.data.annotations import read_document, validate
from simmim_bench.data.bands import read_band_header
from simmim_bench.data.inspect.boxes import Box, first_corner, numbered, read_voc, read_yolo
from simmim_bench.data.inspect.found import Found, Split
from simmim_bench.data.inspect.parquet import read_labels as labels_of_rows
from simmim_bench.data.inspect.samples import class_files
from simmim_bench.data.labels import read_labels, spread
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.data.prepare.parallel import Advance, in_parallel
from simmim_bench.errors import BenchError

MOST_FILES = 20_000  # label files of boxes that are read
MOST_MAPS = 300  # label maps that are decoded
EDGE = 0.01  # share of the side by which a box may leave its image


@dataclass
class Labels:
    """What the labels say.

    Attributes:
        counts: Images, objects or pixels of each class.
        unit: ``images``, ``objects`` or ``pixels``.
        read: Label files that were read, or images.
        total: Those that there are.
        objects: Number of objects of each image that was read.
        with_masks: How many objects have a mask or polygon.
        by_split: Classes that occur in each split.
        problems: Sentences.
        first: From which number corners of boxes are counted (``boxes.first_corner``).
    """

    counts: Counter[str] = field(default_factory=Counter)
    unit: str = "images"
    read: int = 0
    total: int = 0
    objects: list[int] = field(default_factory=list)
    with_masks: int = 0
    by_split: dict[str, set[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    first: int = 0

    def share(self, name: str) -> float:
        """Share of a class."""
        return self.counts[name] / max(1, self.counts.total())


@dataclass(frozen=True)
class Read:
    """Content of one label file: objects or pixels of each class, or a problem."""

    counts: dict[str, int] = field(default_factory=dict)
    with_masks: int = 0
    problem: str = ""
    boxes: tuple[Box, ...] = ()


def look_at_labels(found: Found, advance: Advance = lambda _: None) -> Labels | None:
    """Read the labels of a data set; None if it has none.

    Args:
        found: From ``recognise``.
        advance: Called with the number of label files read since the last call.
    """
    if found.task == "unlabelled":
        return None
    if found.kind == "coco":
        return _coco(found)
    if found.kind in ("voc", "yolo", "masks"):
        return _files(found, advance)
    labels = Labels()
    for split in found.splits:
        names = [*split.class_names.values()]
        if found.kind == "parquet":
            names = [name for path in split.images for name in labels_of_rows(path, found)]
        elif found.kind == "shards":
            names = [name for path in split.images for name in class_files(path)]
        _add(labels, split, Counter(names))
        labels.read += len(names)
        labels.total += len(split.images) if not found.is_packed else len(names)
    return labels


def label_total(found: Found) -> int:
    """Number of label files that ``look_at_labels`` reads."""
    most = MOST_MAPS if found.kind == "masks" else MOST_FILES
    return min(most, sum(len(split.label_files) for split in found.splits))


def _add(labels: Labels, split: Split, counts: Counter[str]) -> None:
    labels.counts += counts
    labels.by_split.setdefault(split.name, set()).update(counts)


def _coco(found: Found) -> Labels:
    labels = Labels(unit="objects")
    for split in found.splits:
        if split.annotations is None:
            continue
        document = read_document(split.annotations)
        report = validate(document)
        name = split.annotations.name
        labels.problems += [f"{name}: {text}" for text in (*report.errors, *report.warnings)]
        names = numbered(document["categories"], "name")
        counts: Counter[str] = Counter()
        objects: Counter[Any] = Counter()
        for each in document["annotations"]:
            if type(each.get("category_id")) is int and type(each.get("image_id")) is int:
                counts[names.get(each["category_id"], str(each["category_id"]))] += 1
                objects[each["image_id"]] += 1
                labels.with_masks += bool(each.get("segmentation"))
        _add(labels, split, counts)
        labels.objects += [objects[number] for number in numbered(document["images"], "id")]
        labels.read += len(document["images"])
        absent = len(document["images"]) - len(split.images)
        if absent:
            labels.problems.append(f"{name}: {absent} of its images are not there")
    labels.total = labels.read
    return labels


def _files(found: Found, advance: Advance) -> Labels:
    labels = Labels(unit="pixels" if found.kind == "masks" else "objects")
    most = label_total(found)
    boxes: list[Box] = []
    for split in found.splits:
        pairs = [*split.label_files.items()]
        labels.total += len(pairs)
        chosen = spread(pairs, max(1, most * len(pairs) // max(1, _number(found))))
        reader = READERS[found.kind]
        if found.kind == "yolo":
            reader = partial(_read_yolo, classes=found.classes, keypoints=found.keypoints)
        read: Sequence[Read] = in_parallel(reader, chosen, advance)
        for each in read:
            if each.problem:
                labels.problems.append(each.problem.replace(f"{found.listing.folder}/", ""))
                continue
            _add(labels, split, Counter(each.counts))
            labels.with_masks += each.with_masks
            labels.objects.append(sum(each.counts.values()) if found.kind != "masks" else 0)
            labels.read += 1
            boxes += each.boxes
    labels.first = first_corner(boxes) if found.kind == "voc" else 0
    return labels


def _number(found: Found) -> int:
    return sum(len(split.label_files) for split in found.splits)


def _read_voc(pair: tuple[Path, Path]) -> Read:
    image, path = pair
    try:
        stated, boxes = read_voc(path)
        size = read_band_header(image).size
    except BenchError as error:
        return Read(problem=str(error))
    except UnreadableImageError:  # told with the images
        return Read(_counted(boxes), boxes=tuple(boxes))
    if stated and stated != size:
        return Read(
            problem=f"{path} states {stated[0]} x {stated[1]}, its image is {size[0]} x {size[1]}"
        )
    if outside := [each for each in boxes if _is_outside(each, size)]:
        return Read(problem=f"{path} has a box of {outside[0].label!r} outside of its image")
    return Read(_counted(boxes), boxes=tuple(boxes))


def _read_yolo(pair: tuple[Path, Path], classes: tuple[str, ...] = (), keypoints: int = 0) -> Read:
    path = pair[1]
    try:
        boxes = read_yolo(path, keypoints=keypoints)
    except BenchError as error:
        return Read(problem=str(error))
    unknown = [each.label for each in boxes if classes and int(each.label) >= len(classes)]
    if unknown:
        return Read(problem=f"{path} has class {unknown[0]}, but {len(classes)} are named")
    if any(_is_outside(each, (1, 1)) for each in boxes):
        return Read(problem=f"{path} has a box outside of its image")
    names = [classes[int(each.label)] if classes else each.label for each in boxes]
    return Read(dict(Counter(names)), sum(bool(each.polygon) for each in boxes))


def _read_map(pair: tuple[Path, Path]) -> Read:
    image, path = pair
    try:
        values = read_labels(path)
        size = read_band_header(image).size
    except BenchError as error:
        return Read(problem=str(error))
    except UnreadableImageError:
        size = (values.shape[1], values.shape[0])
    height, width = values.shape
    if (width, height) != size:
        return Read(problem=f"{path} is {width} x {height}, its image {size[0]} x {size[1]}")
    counts = np.bincount(values.ravel(), minlength=1)
    return Read({str(label): int(counts[label]) for label in np.flatnonzero(counts)})


READERS: dict[str, Callable[[tuple[Path, Path]], Read]] = {
    "voc": _read_voc,
    "yolo": _read_yolo,
    "masks": _read_map,
}


def _counted(boxes: list[Box]) -> dict[str, int]:
    return dict(Counter(each.label for each in boxes))


def _is_outside(box: Box, size: tuple[float, float]) -> bool:
    x, y, width, height = box.box
    slack = EDGE * size[0] + 1e-6, EDGE * size[1] + 1e-6
    return (
        width <= 0
        or height <= 0
        or x < -slack[0]
        or y < -slack[1]
        or x + width > size[0] + slack[0]
        or y + height > size[1] + slack[1]
    )
