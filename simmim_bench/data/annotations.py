"""Validate COCO annotation files before the libraries read them, which trust every value.

Problems of one kind are counted, and the first is named with the file, its id and the remedy.
Errors stop a run; warnings are told. What real COCO contains is no error: boxes that are rounded
beyond the edge, boxes smaller than a pixel (mmdet skips them), crowds as run lengths.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from simmim_bench.data.rle import rle_problem, short
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, cache_home, read_bytes, read_json, sha256_file

VERSION = 2  # of the checks; a cached report of another version is not used

KNOWN_FLAWS = frozenset({918, 2206849})
"""Boxes of height 0 in the published train2017 (images 200365 and 550395,
https://github.com/cocodataset/cocoapi/issues/355); mmdet skips them."""

SLACK = 1.0  # px; published boxes are rounded
LARGEST_SIDE = 2**15  # px of an image; masks have fewer than 2 ** 30 pixels
LARGEST_ID = 2**63  # of the evaluation's C++
SHOWN = 3  # ids of further problems of a kind
KINDS_SHOWN = 4  # in the error that stops a run
INSIDE = "a path in the folder of the images"
STATED = ("file_name", "width", "height")
LISTS = ("images", "categories", "annotations")

ODD = (TypeError, ValueError, OverflowError, RecursionError)
"""Raised by arithmetic with what is no number."""
NO_MASK = "without mask"
WARNINGS = {
    "clip": "clip it to the image",
    "short": "mmdet drops it; give at least 3 points",
    "crowd": "COCO's crowds are run lengths; set iscrowd to 0 if this is one object",
}
"""Remedies of what is told."""
ERRORS = {
    "type": "correct the file",
    "id": "give each its own id",
    "name": "list each image once",
    "reference": "list it, or remove the annotation",
    "size": "state the width and height of the image file in pixels, as integers",
    "box": "correct the box, or remove the annotation",
    "mask": "correct the segmentation, or remove the annotation",
    "area": "state the area of the object in pixels",
}
"""Remedies of what stops a run."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an annotation file contains."""

    images: int
    annotations: int
    categories: list[str]
    """Names, sorted by id."""
    count: int
    """Errors."""
    errors: list[str]
    """A sentence for each kind, with remedy; without the file's name."""
    warnings: list[str]
    no_mask: list[Any]
    """Number of objects without a segmentation, and the first id of one; empty if all have one."""
    skipped: int
    """Objects that mmdet skips: smaller than a pixel, or of area 0."""
    listed: list[Any]
    """Id, file name, width and height of each image; empty if there are errors."""


@dataclass
class _Found:
    """Problems by kind (of which the first word has a remedy): the first, the next, number."""

    first: dict[str, str] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, who: str, text: str) -> None:
        self.count[kind] += 1
        if kind not in self.first:
            self.first[kind] = f"{who} {text}"
            self.others[kind] = []
        elif len(self.others[kind]) < SHOWN:
            self.others[kind].append(who)

    def sentences(self, remedies: dict[str, str]) -> Iterator[str]:
        for kind, text in self.first.items():
            remedy = remedies.get(kind.split()[0])
            if remedy is None:
                continue
            more = self.count[kind] - 1
            names = ", ".join(self.others[kind])
            also = f" (and {more} more: {names}{', ...' * (more > SHOWN)})" if more else ""
            yield f"{text}{also}; {remedy}"


def check_annotations(path: Path) -> Report:
    """Validate ``path``, or return the report of the same content from the user's cache.

    Raises:
        BenchError: If it has errors, or is not a COCO annotation file.
    """
    report = report_of(path)
    if report.errors:
        shown = "; ".join(report.errors[:KINDS_SHOWN])
        rest = len(report.errors) - KINDS_SHOWN
        also = f"; and problems of {rest} more kinds" if rest > 0 else ""
        raise BenchError(f"{path} has {report.count} wrong entries: {shown}{also}")
    return report


def report_of(path: Path) -> Report:
    """``validate`` of the file's content, cached by its hash.

    Raises:
        BenchError: If it is not a COCO annotation file.
    """
    if not path.is_file():
        raise BenchError(f"{path} is not a file; expected COCO annotations as JSON")
    cached = cache_folder() / f"{sha256_file(path)}.json"
    stored = read_json(cached) or {}
    if stored.pop("version", None) == VERSION:
        with suppress(TypeError):
            return Report(**stored)
    with _no_collection():
        report = validate(read_document(path))
    with suppress(OSError, BenchError):  # a home that cannot be written
        atomic_write_json(cached, {"version": VERSION, **asdict(report)})
    return report


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from looking through the million new objects again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def cache_folder() -> Path:
    """Where reports are kept: ``$XDG_CACHE_HOME/simmim_bench/annotations``, else in ~/.cache."""
    return cache_home() / "annotations"


def read_document(path: Path) -> dict[str, Any]:
    """Content of a COCO annotation file; only its outline is checked.

    Raises:
        BenchError: If it is not UTF-8, not JSON, nested too deeply, or has not COCO's lists.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path} cannot be read as JSON ({error}); restore the file") from error
    if not isinstance(content, dict):
        raise BenchError(
            f"{path} holds a {type(content).__name__}, expected COCO's annotations: an object with "
            f"the lists {', '.join(LISTS)}"
        )
    for name in LISTS:
        given = content.get(name)
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            what = f"no list {name!r}" if given is None else f"{name!r} that are no list of objects"
            raise BenchError(
                f"{path} has {what} (it has: {short(', '.join(content)) or 'nothing'}); expected "
                f"COCO's annotations with the lists {', '.join(LISTS)}"
            )
    return content


def validate(document: dict[str, Any]) -> Report:
    """Check every image, category and annotation.

    Args:
        document: From ``read_document``.
    """
    found = _Found()
    for name in LISTS:
        _check_ids(name, document[name], found)
    images: dict[int, Any] = {each["id"]: each for each in _with_ids(document["images"])}
    sizes = {number: _size(image, found) for number, image in images.items()}
    _check_names(images.values(), found)
    named = _with_ids(document["categories"])
    categories = {each["id"]: _name_of(each, found) for each in named}
    skipped = 0
    for each in document["annotations"]:
        skipped += _check_annotation(each, sizes, categories, found)
    errors = list(found.sentences(ERRORS))
    return Report(
        images=len(document["images"]),
        annotations=len(document["annotations"]),
        categories=[categories[number] for number in sorted(categories)],
        count=sum(count for kind, count in found.count.items() if kind.split()[0] in ERRORS),
        errors=errors,
        warnings=list(found.sentences(WARNINGS)),
        no_mask=[found.count[NO_MASK], found.first[NO_MASK]] if found.count[NO_MASK] else [],
        skipped=skipped,
        listed=[]
        if errors
        else [[number, *(image[key] for key in STATED)] for number, image in images.items()],
    )


def _with_ids(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in entries if type(each.get("id")) is int]


def _check_ids(name: str, entries: list[dict[str, Any]], found: _Found) -> None:
    for position, each in enumerate(entries):
        number = each.get("id")
        if type(number) is not int or abs(number) >= LARGEST_ID:
            what = f"entry {position} of {name}"
            found.add("type", what, f"has the id {short(number)}, expected an integer")
    counts = Counter(each["id"] for each in _with_ids(entries))
    if len(counts) < len(entries):
        for number, count in counts.items():
            if count > 1:
                found.add(f"id {name}", f"id {short(number)}", f"of {name} is used {count} times")


def _check_names(images: Any, found: _Found) -> None:
    names: dict[str, int] = {}
    for image in images:
        name, who = image.get("file_name"), f"image {short(image['id'])}"
        if not is_inside(name):
            found.add("type", who, f"has the file_name {short(name)}, expected {INSIDE}")
        elif names.setdefault(name, image["id"]) != image["id"]:
            found.add("name", who, f"has the file_name {short(name)} of image {short(names[name])}")


def is_inside(name: Any) -> bool:
    """Whether a file name is a path that stays in the folder of the images."""
    return (
        isinstance(name, str)
        and bool(name)
        and not any(part in name for part in ("\0", "://"))
        and not PurePath(name).is_absolute()
        and ".." not in PurePath(name).parts
    )


def _name_of(category: dict[str, Any], found: _Found) -> str:
    name = category.get("name")
    if isinstance(name, str) and name:
        return name
    found.add(
        "type", f"category {short(category['id'])}", f"has the name {short(name)}, expected text"
    )
    return ""


class _WrongError(Exception):
    """A problem: its kind and text."""


def _size(image: dict[str, Any], found: _Found) -> tuple[int, int] | None:
    """Width and height of an image; None if they are not stated."""
    size = image.get("width"), image.get("height")
    if all(type(side) is int and 0 < side <= LARGEST_SIDE for side in size):
        return size  # type: ignore[return-value]
    found.add(
        "size", f"image {short(image['id'])}", f"is stated as {short(size[0])} x {short(size[1])}"
    )
    return None


def _check_annotation(
    each: dict[str, Any],
    sizes: dict[int, tuple[int, int] | None],
    categories: dict[int, str],
    found: _Found,
) -> bool:
    """Check one annotation; True if mmdet skips it."""
    try:
        _check_fields(each, sizes, categories)
        size = sizes[each["image_id"]]
        if size is None:
            return False
        if each["area"] == 0 and type(each.get("id")) is int and each["id"] in KNOWN_FLAWS:
            return True
        width, height = size
        _check_box(each.get("bbox"), width, height)
    except _WrongError as problem:
        found.add(problem.args[0], f"annotation {short(each.get('id'))}", problem.args[1])
        if problem.args[0] not in WARNINGS:
            return False
    try:
        _check_mask(each.get("segmentation"), width, height)
        if each.get("iscrowd") and isinstance(each["segmentation"], list):
            raise _WrongError("crowd", "is a crowd with polygons")
    except _WrongError as problem:
        found.add(problem.args[0], f"annotation {short(each.get('id'))}", problem.args[1])
    _, _, across, down = each["bbox"]
    return bool(each["area"] <= 0 or across < 1 or down < 1)


def _check_fields(each: dict[str, Any], sizes: dict[int, Any], categories: dict[int, str]) -> None:
    image, category, area = each.get("image_id"), each.get("category_id"), each.get("area")
    if type(image) is not int or image not in sizes:
        raise _WrongError("reference image", f"refers to image {short(image)}, which is not listed")
    if type(category) is not int or category not in categories:
        raise _WrongError(
            "reference category", f"has category {short(category)}, which is not listed"
        )
    if type(area) not in (int, float) or not -LARGEST_ID < area < LARGEST_ID:  # type: ignore[operator]
        raise _WrongError("area", f"has the area {short(area)}, expected a number")
    if each.get("iscrowd", 0) not in (0, 1):
        raise _WrongError("type", f"has iscrowd {short(each['iscrowd'])}, expected 0 or 1")


def _check_box(box: Any, width: int, height: int) -> None:
    try:
        left, top, across, down = box
        inside = left >= -SLACK and top >= -SLACK
        inside = inside and left + across <= width + SLACK and top + down <= height + SLACK
        if across > 0 and down > 0 and inside:
            return
        finite = all(-1e9 < value < 1e9 for value in box)  # neither NaN
    except ODD:
        finite = False
    if not finite:
        raise _WrongError("box", f"has the box {short(box)}, expected x, y, width, height")
    if across <= 0 or down <= 0:
        raise _WrongError("box empty", f"has a box of {across} x {down}")
    gone = left >= width or top >= height or left + across <= 0 or top + down <= 0
    kind = "box outside" if gone else "clip"
    raise _WrongError(kind, f"has the box {box} outside its image of {width} x {height}")


def _check_mask(mask: Any, width: int, height: int) -> None:
    if mask is None or mask == []:
        raise _WrongError(NO_MASK, "has no segmentation")
    if isinstance(mask, dict):
        if problem := rle_problem(mask, height, width):
            raise _WrongError("mask runs", f"has {problem}")
    elif isinstance(mask, list):
        for polygon in mask:
            _check_polygon(polygon, 2 * (width + height))
    else:
        raise _WrongError("mask", f"has the segmentation {short(mask)}, expected polygons or runs")


def _check_polygon(polygon: Any, farthest: int) -> None:
    try:
        if sum(polygon) * 0 != 0:  # NaN or infinity
            raise _WrongError("mask", f"has the polygon {short(polygon)}, expected finite numbers")
        if min(polygon) < -farthest or max(polygon) > farthest:
            raise _WrongError("mask", f"has the polygon {short(polygon)} far outside its image")
    except ODD:  # text, a number or an empty list in the place of a list
        text = f"has the polygon {short(polygon)}, expected [x, y, x, y, ...]"
        raise _WrongError("mask", text) from None
    if len(polygon) % 2 or len(polygon) < 4:
        text = f"has a polygon of {len(polygon)} numbers, expected x and y of 3 points or more"
        raise _WrongError("mask", text)
    if len(polygon) < 6:
        raise _WrongError("short", "has a polygon of fewer than 3 points")
