"""Check a COCO annotation file against the images that it describes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simmim_bench.data.prepare.check import Part

Size = tuple[int, int] | None

KNOWN_FLAWS = frozenset({918, 2206849})
"""Boxes of height 0 in the published train2017 (images 200365 and 550395,
https://github.com/cocodataset/cocoapi/issues/355); mmdet passes over them."""

_SLACK = 1.0  # px; published boxes are rounded


def check_instances(
    path: Path, name: str, sizes: Mapping[str, Size], *, full: int | None = None
) -> Part:
    """Check one annotation file.

    Args:
        path: The file.
        name: What to call it in the table.
        sizes: Width and height of each image that is there, by file name; None: unreadable.
        full: Images of the published file.

    Returns:
        A part with as many found as the file lists images, and its problems.
    """
    part = Part(name, 0, full=full)
    try:
        document = json.loads(path.read_text("utf-8"))
        images = {image["id"]: image for image in document["images"]}
        part.found = len(document["images"])
        part.problems = [f"{path}: {said}" for said in _problems(document, images, sizes)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        part.problems = [f"{path}: cannot be used ({error!r})"]
    return part


def _problems(
    document: dict[str, Any], images: dict[int, dict[str, Any]], sizes: Mapping[str, Size]
) -> list[str]:
    problems = []
    for kind in ("images", "categories", "annotations"):
        counts = Counter(each["id"] for each in document[kind])
        problems += [
            f"{kind} has id {number} {count} times" for number, count in counts.items() if count > 1
        ]
    for image in images.values():
        if problem := _image_problem(image, sizes):
            problems.append(f"image {image['id']} ({image['file_name']}) {problem}")
    categories = {category["id"] for category in document["categories"]}
    for each in document["annotations"]:
        if problem := _object_problem(each, images, categories):
            problems.append(f"annotation {each['id']} {problem}")
    return problems


def _image_problem(image: dict[str, Any], sizes: Mapping[str, Size]) -> str | None:
    name, stated = image["file_name"], (image["width"], image["height"])
    if name not in sizes:
        return "is not in the folder"
    found = sizes[name]
    if found is not None and found != stated:
        return f"is {found[0]} x {found[1]}, the file says {stated[0]} x {stated[1]}"
    return None


def _object_problem(
    each: dict[str, Any], images: dict[int, dict[str, Any]], categories: set[int]
) -> str | None:
    image = images.get(each["image_id"])
    if image is None:
        return f"is of image {each['image_id']}, which is not listed"
    if each["category_id"] not in categories:
        return f"has category {each['category_id']}, which is not listed"
    if each["id"] in KNOWN_FLAWS and each["area"] == 0:
        return None
    return _box_problem(each["bbox"], image) or _mask_problem(each.get("segmentation"), image)


def _box_problem(box: list[float], image: dict[str, Any]) -> str | None:
    if len(box) != 4 or not all(-1e9 < value < 1e9 for value in box):
        return f"has the box {box}; expected x, y, width, height"
    left, top, width, height = box
    if width <= 0 or height <= 0:
        return f"has a box of {width} x {height}"
    right, bottom = image["width"] + _SLACK, image["height"] + _SLACK
    if left < -_SLACK or top < -_SLACK or left + width > right or top + height > bottom:
        return f"has the box {box} outside its image of {image['width']} x {image['height']}"
    return None


def _mask_problem(mask: Any, image: dict[str, Any]) -> str | None:
    if not mask:
        return "has no segmentation"
    if isinstance(mask, dict):
        stated = [image["height"], image["width"]]
        if list(mask["size"]) != stated:
            return f"has a mask of height and width {mask['size']}, its image {stated}"
        return None if mask["counts"] else "has an empty mask"
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in mask):
        return "has a polygon of fewer than 3 points"
    return None
