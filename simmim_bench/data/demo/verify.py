"""Check the demo data on disk: counts, images, and whether annotations agree with each other."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.data.demo.compose import BACKGROUND
from simmim_bench.data.demo.files import (
    ADE_SPLITS,
    DATASET_FILE,
    ade_paths,
    box_of,
    decode_mask,
    image_path,
    instances_path,
)
from simmim_bench.data.demo.language import KINDS, documents, language_path
from simmim_bench.data.demo.spec import CLASSES, VERSION, DemoSpec, Split
from simmim_bench.data.image_files import image_files
from simmim_bench.data.prepare.check import Part, unreadable
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.errors import BenchError


def verify_demo(folder: Path, advance: Advance = lambda _: None) -> list[Part]:
    """Open every image and check every annotation.

    Args:
        folder: The demo data, usually ``data/demo``.
        advance: Called with the number of images opened since the last call.

    Returns:
        One part per split and layout; each lists its problems.

    Raises:
        BenchError: If ``folder`` has no demo data, or data of another version.
    """
    spec = read_spec(folder)
    parts = []
    for split in spec.splits():
        parts.append(_images(folder, split, advance))
        if split.name in ADE_SPLITS:
            parts += _scene_parts(folder, spec, split, advance)
    return parts


def read_spec(folder: Path) -> DemoSpec:
    """Spec of the data in ``folder``.

    Raises:
        BenchError: If ``dataset.json`` is missing, broken or of another version.
    """
    path = folder / DATASET_FILE
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        version, values = described["version"], described["spec"]
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        spec = DemoSpec(**fields) if version == VERSION else None
    except FileNotFoundError:
        raise BenchError(
            f"no demo data: looked for {path.absolute()}; build them with `simmim-bench data demo`"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{path.absolute()} does not describe demo data ({error!r}); remove the folder and "
            "run `simmim-bench data demo`"
        ) from error
    if spec is None:
        raise BenchError(
            f"{path.absolute()} has version {version}, expected {VERSION}; run "
            "`simmim-bench data demo` to build the data again"
        )
    return spec


def _images(folder: Path, split: Split, advance: Advance) -> Part:
    """Check that the images of one split exist and can be read."""
    expected = {folder / image_path(split, index) for index in range(split.count)}
    return _compare(split.name, folder / split.name, expected, advance)


def _compare(name: str, place: Path, expected: set[Path], advance: Advance) -> Part:
    found = image_files(place)
    part = Part(name, len(found), len(expected))
    part.problems += [f"{path}: missing" for path in sorted(expected - set(found))]
    part.problems += [
        f"{path}: is not part of the demo data" for path in sorted(set(found) - expected)
    ]
    part.problems += unreadable(found, advance)
    return part


def _scene_parts(folder: Path, spec: DemoSpec, split: Split, advance: Advance) -> list[Part]:
    """COCO annotations, ADE images and ADE maps of one split of scenes."""
    parts = []
    for kind in range(2):
        expected = {folder / ade_paths(split, index)[kind] for index in range(split.count)}
        place = ade_paths(split, 0)[kind].parent
        parts.append(_compare(place.as_posix(), folder / place, expected, advance))
    coco = Part(instances_path(split).as_posix(), 0, split.count)
    try:
        document = json.loads((folder / instances_path(split)).read_text(encoding="utf-8"))
        coco.found = len(document["images"])
        coco.problems = _check_instances(document, spec, split)
        if not coco.problems and not parts[1].problems:
            coco.problems = _check_maps(document, folder, split)
    except (OSError, ValueError, KeyError, TypeError) as error:
        coco.problems = [f"{folder / instances_path(split)}: cannot be used ({error!r})"]
    if coco.problems:
        return [*parts, coco]
    return [*parts, coco, _language(document, folder, spec, split)]


def _language(instances: dict[str, Any], folder: Path, spec: DemoSpec, split: Split) -> Part:
    """Check captions and questions against the instances."""
    part = Part(language_path(split, KINDS[0]).as_posix(), 0, len(KINDS))
    for kind, expected in documents(instances, spec).items():
        path = folder / language_path(split, kind)
        try:
            part.found += 1
            if json.loads(path.read_text(encoding="utf-8")) != expected:
                part.problems.append(f"{path}: does not agree with {instances_path(split).name}")
        except (OSError, ValueError) as error:
            part.problems.append(f"{path}: cannot be used ({error!r})")
    return part


def _check_instances(document: dict[str, Any], spec: DemoSpec, split: Split) -> list[str]:
    """Problems inside one COCO document."""
    where = instances_path(split).name
    names = {image["id"]: image["file_name"] for image in document["images"]}
    expected = {index + 1: image_path(split, index).name for index in range(split.count)}
    problems = [] if names == expected else [f"{where}: images differ from those of the spec"]
    if [category["name"] for category in document["categories"]] != list(CLASSES):
        problems.append(f"{where}: categories must be {', '.join(CLASSES)}")
    repeated = Counter(each["id"] for each in document["annotations"]).most_common(1)
    if repeated and repeated[0][1] > 1:
        problems.append(f"{where}: annotation id {repeated[0][0]} is used more than once")
    bare = set(expected) - {each["image_id"] for each in document["annotations"]}
    problems += [f"{where}: image {number} has no annotation" for number in sorted(bare)]
    size = (spec.scene_size, spec.scene_size)
    for each in document["annotations"]:
        if problem := _check_object(each, size):
            problems.append(f"{where}: annotation {each['id']}: {problem}")
    return problems


def _check_object(each: dict[str, Any], size: tuple[int, int]) -> str | None:
    if not 1 <= each["category_id"] <= len(CLASSES):
        return f"category {each['category_id']} is not 1 to {len(CLASSES)}"
    try:
        mask = decode_mask(each["segmentation"]["counts"], size)
    except ValueError as error:
        return str(error)
    if not mask.any():
        return "its mask is empty"
    if each["area"] != mask.sum():
        return f"area {each['area']} differs from that of its mask, {mask.sum()}"
    if each["bbox"] != box_of(mask):
        return f"bbox {each['bbox']} differs from that of its mask, {box_of(mask)}"
    return None


def _check_maps(document: dict[str, Any], folder: Path, split: Split) -> list[str]:
    """Check semantic maps against the instances."""
    maps: dict[int, NDArray[np.uint8]] = {}
    problems = []
    for image in document["images"]:
        maps[image["id"]] = np.full((image["height"], image["width"]), BACKGROUND, np.uint8)
    for each in document["annotations"]:
        size = maps[each["image_id"]].shape
        mask = decode_mask(each["segmentation"]["counts"], (size[0], size[1]))
        maps[each["image_id"]][mask] = BACKGROUND + each["category_id"]
    for index in range(split.count):
        path = folder / ade_paths(split, index)[1]
        with Image.open(path) as opened:
            if not np.array_equal(np.asarray(opened), maps[index + 1]):
                problems.append(f"{path}: does not agree with {instances_path(split).name}")
    return problems
