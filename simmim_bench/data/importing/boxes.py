"""Boxes and masks of COCO, Pascal VOC and YOLO, as one COCO file for each part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.data.annotations import is_inside, read_document, validate
from simmim_bench.data.importing.measure import Look
from simmim_bench.data.importing.samples import Sample, Skipped
from simmim_bench.data.inspect.boxes import Box, first_corner, from_zero, read_voc, read_yolo
from simmim_bench.data.inspect.found import Found, Split, counted
from simmim_bench.data.pixels import size_mistake
from simmim_bench.data.rle import short
from simmim_bench.errors import BenchError

Object = dict[str, Any]
"""An annotation of COCO with ``category``, a name, in the place of ``category_id``."""
KEPT = ("bbox", "area", "iscrowd", "segmentation")
SMALLEST = 1e-3  # px of a box after clipping


@dataclass(frozen=True)
class Boxes:
    """Objects of a data set.

    Attributes:
        objects: Of each image; an image without objects has an empty list.
        classes: Names, in the order of labels.
        category_ids: COCO's id of each class.
        image_ids: COCO's id of each image, if the data state unique ones.
        notes: Sentences about what was decided.
    """

    objects: dict[Sample, list[Object]]
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    image_ids: dict[Sample, int]
    notes: tuple[str, ...] = ()

    @property
    def has_masks(self) -> bool:
        """Whether every object has a mask."""
        return all(
            each.get("segmentation") for objects in self.objects.values() for each in objects
        )


def boxes_of(
    found: Found, samples: Sequence[Sample], looks: Mapping[Sample, Look], skipped: Skipped
) -> Boxes:
    """Read the objects of all images.

    Args:
        found: From ``inspect.recognise``, of the kind ``coco``, ``voc`` or ``yolo``.
        samples: Its images that can be used.
        looks: Their sizes.
        skipped: What is left out is added.

    Raises:
        BenchError: If a file is damaged, or has objects that cannot be.
    """
    read = {"coco": _coco, "voc": _voc, "yolo": _yolo}[found.kind]
    boxes = read(found, samples, looks, skipped)
    if not any(boxes.objects.values()):
        raise BenchError(f"{found.root} has no object that can be used; check its labels")
    return boxes


def coco_document(
    boxes: Boxes, names: Mapping[Sample, str], looks: Mapping[Sample, Look]
) -> dict[str, Any]:
    """COCO's annotations of the images ``names``, which maps to their file names."""
    categories = dict(zip(boxes.classes, boxes.category_ids, strict=True))
    images, annotations = [], []
    for number, (sample, name) in enumerate(names.items(), 1):
        width, height = looks[sample].size
        identifier = boxes.image_ids.get(sample, number)
        images.append({"id": identifier, "file_name": name, "width": width, "height": height})
        for each in boxes.objects[sample]:
            kept = {key: value for key, value in each.items() if key in KEPT}
            category = categories[each["category"]]
            annotations.append({"image_id": identifier, "category_id": category, **kept})
    return {
        "images": images,
        "annotations": [{"id": i, **each} for i, each in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
    }


def _coco(
    found: Found, samples: Sequence[Sample], looks: Mapping[Sample, Look], skipped: Skipped
) -> Boxes:
    by_path = {sample.path: sample for sample in samples}
    objects: dict[Sample, list[Object]] = {}
    numbers: dict[Sample, int] = {}
    named: dict[str, int] = {}
    for split in found.splits:
        if split.annotations is None or split.folder is None:
            continue
        path = split.annotations
        document = _completed(read_document(path), split.folder, by_path, looks)
        here = _images(document, split, by_path, looks, skipped)
        _leave_out_others(here, split, skipped)
        numbers.update({sample: number for number, sample in here.items()})
        report = validate(document)
        if report.errors:
            raise BenchError(
                f"{path} has {report.count} wrong entries: {'; '.join(report.errors[:3])}"
            )
        categories = {each["id"]: each["name"] for each in document["categories"]}
        _check_unique(list(categories.values()), path)
        for number, name in sorted(categories.items()):
            named.setdefault(name, number)
        earlier = {
            sample: {(each["category"], *each["bbox"]) for each in objects.setdefault(sample, [])}
            for sample in here.values()
        }
        for each in document["annotations"]:
            sample, category = here.get(each["image_id"]), categories[each["category_id"]]
            if sample and (category, *each["bbox"]) not in earlier[sample]:
                objects[sample].append({**each, "category": category})
    ids = list(named.values())
    if len(set(ids)) < len(ids):  # files with other numbers for the same names
        ids = list(range(1, len(ids) + 1))
    order = sorted(zip(ids, named, strict=True))
    return Boxes(
        objects,
        tuple(name for _, name in order),
        tuple(number for number, _ in order),
        numbers if len(set(numbers.values())) == len(numbers) else {},
    )


def _leave_out_others(here: dict[int, Sample], split: Split, skipped: Skipped) -> None:
    """Take out images that a file of another part lists, too."""
    for number, sample in list(here.items()):
        if sample.split != split.name:
            file = split.annotations.name if split.annotations else ""
            skipped.add(f"images of {file} are also in a file of another part", sample.name)
            del here[number]


def _images(
    document: dict[str, Any],
    split: Split,
    by_path: Mapping[Path, Sample],
    looks: Mapping[Sample, Look],
    skipped: Skipped,
) -> dict[Any, Sample]:
    """Images of a document that can be used, by their ids."""
    found = {}
    file, folder = split.annotations or Path(), split.folder or Path()
    for image in document["images"]:
        if not is_inside(image.get("file_name")):
            raise BenchError(
                f"{file} names the image {short(image.get('file_name'))}, a path that leaves its "
                "folder; correct it"
            )
        sample = by_path.get(folder / image["file_name"])
        if sample is None:
            skipped.add(f"images of {file.name} are not there or not used", image["file_name"])
        elif size_mistake(image, sample.path, looks[sample].size):
            skipped.add(f"images have another size than {file.name} says", sample.name)
        else:
            found[image.get("id")] = sample
    return found


def _completed(
    document: dict[str, Any], folder: Path, by_path: Mapping[Path, Sample], looks: Any
) -> dict[str, Any]:
    """A document with what many exports leave out: sizes of images, ids and areas."""
    for image in document["images"]:
        name = image.get("file_name")
        sample = by_path.get(folder / name) if isinstance(name, str) else None
        if sample is not None and image.get("width") is None and image.get("height") is None:
            image["width"], image["height"] = looks[sample].size
    for number, each in enumerate(document["annotations"], 1):
        each.setdefault("id", number)
        each.setdefault("iscrowd", 0)
        box = each.get("bbox")
        if each.get("area") is None and isinstance(box, list) and len(box) == 4:
            numeric = all(isinstance(side, (int, float)) for side in box)
            each["area"] = box[2] * box[3] if numeric else None
    return document


def _check_unique(names: list[str], path: Path) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise BenchError(f"{path} has {count} categories named {name!r}; rename or join them")


def _voc(
    found: Found,  # noqa: ARG001
    samples: Sequence[Sample],
    looks: Mapping[Sample, Look],
    skipped: Skipped,
) -> Boxes:
    """VOC's corners are counted from 1 and inclusive, unless a corner below 1 says otherwise."""
    read = {}
    for sample in samples:
        if sample.label_file is None:
            skipped.add("images without an XML file", sample.name)
            continue
        stated, boxes = read_voc(sample.label_file)
        if stated not in (None, looks[sample].size):
            skipped.add("images have another size than the XML says", sample.name)
            continue
        read[sample] = boxes
    first = first_corner(each for boxes in read.values() for each in boxes)
    classes = tuple(sorted({each.label for boxes in read.values() for each in boxes}))
    objects = {}
    for sample, boxes in read.items():
        made = [(from_zero(each, first), each) for each in boxes]
        objects[sample] = list(_objects(made, looks[sample].size, sample, skipped))
    how = (
        "corners are counted from 1, as in Pascal VOC, as no box has a corner below 1"
        if first
        else "corners are counted from 0, as a box has a corner below 1"
    )
    difficult = sum(each.get("iscrowd", 0) for found in objects.values() for each in found)
    notes = [how]
    if difficult:
        notes.append(
            f"marked iscrowd, neither right nor wrong: {counted(difficult, 'difficult object')}"
        )
    return _boxes(objects, classes, notes)


def _yolo(
    found: Found, samples: Sequence[Sample], looks: Mapping[Sample, Look], skipped: Skipped
) -> Boxes:
    objects, notes = {}, []
    read = {
        s: read_yolo(s.label_file, keypoints=found.keypoints) if s.label_file else []
        for s in samples
    }
    most = max((int(each.label) for boxes in read.values() for each in boxes), default=0)
    classes = found.classes or tuple(f"class {number}" for number in range(most + 1))
    if not found.classes:
        notes.append("no file names the classes, they are class 0, class 1, ...")
    if most >= len(classes):
        raise BenchError(
            f"{found.root} has objects of class {most}, but names {len(classes)} classes; add the "
            "names to data.yaml or classes.txt"
        )
    if empty := sum(sample.label_file is None for sample in samples):
        notes.append(f"no objects, as there is no text file: {counted(empty, 'image')}")
    for sample, boxes in read.items():
        width, height = looks[sample].size
        scale = (width, height, width, height)
        made = [
            (tuple(side * by for side, by in zip(each.box, scale, strict=True)), each)
            for each in boxes
        ]
        objects[sample] = list(
            _objects(made, (width, height), sample, skipped, names=classes)  # type: ignore[arg-type]
        )
    _check_unique(list(classes), found.root)
    return _boxes(objects, tuple(classes), notes)


def _boxes(
    objects: dict[Sample, list[Object]], classes: tuple[str, ...], notes: list[str]
) -> Boxes:
    return Boxes(objects, classes, tuple(range(1, len(classes) + 1)), {}, tuple(notes))


def _objects(
    made: Sequence[tuple[tuple[float, float, float, float], Box]],
    size: tuple[int, int],
    sample: Sample,
    skipped: Skipped,
    names: Sequence[str] = (),
) -> Iterator[Object]:
    """Annotations of boxes in pixels, clipped to the image."""
    width, height = size
    for (left, top, across, down), each in made:
        x, y = min(max(left, 0), width), min(max(top, 0), height)
        w, h = min(left + across, width) - x, min(top + down, height) - y
        if w < SMALLEST or h < SMALLEST:
            skipped.add("boxes are empty or outside of the image", sample.name)
            continue
        category = names[int(each.label)] if names else each.label
        found: Object = {"category": category, "bbox": [x, y, w, h], "area": w * h}
        found["iscrowd"] = int(each.difficult)
        if each.polygon:
            scale = (width, height)
            points = [min(max(v, 0), 1) * scale[i % 2] for i, v in enumerate(each.polygon)]
            found["segmentation"] = [points]
            found["area"] = _area(points) or w * h
        yield found


def _area(points: Sequence[float]) -> float:
    """Area of a polygon, by the shoelace formula."""
    x, y = points[::2], points[1::2]
    return abs(sum(x[i - 1] * y[i] - x[i] * y[i - 1] for i in range(len(x)))) / 2
