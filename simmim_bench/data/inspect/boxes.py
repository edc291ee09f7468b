"""Layouts of detection: COCO, Pascal VOC and YOLO. Files are data: no XML entities or YAML tags."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from simmim_bench.data.annotations import read_document
from simmim_bench.data.image_files import Listing, open_regular, read_regular
from simmim_bench.data.inspect.found import (
    Found,
    Split,
    by_split,
    folder_of,
    in_folders,
    lines_of,
    listed_splits,
    name_of,
    paired,
    split_in,
    split_of,
    stem_of,
)
from simmim_bench.errors import BenchError
from simmim_bench.yaml_file import NotYamlError, read_yaml

TRIED = 5  # label files whose content decides
NAMED = 50  # file names of a JSON file that decide for a folder
EDGE = 1 << 20  # bytes at both ends of a JSON file that are searched for COCO's keys
LARGEST_TEXT = 1 << 24  # bytes of an XML or text file
SIDE = 2**20  # px


@dataclass(frozen=True)
class Box:
    """One object: its class, as the file names or numbers it, and its place.

    Attributes:
        label: Name (VOC) or number (YOLO).
        box: x, y, width, height; in pixels (VOC), or as shares of the image (YOLO).
        polygon: x, y, x, y, ... on the same scale; empty if there is none.
        difficult: Whether VOC marks it as difficult, which counts neither as right nor as wrong.
    """

    label: str
    box: tuple[float, float, float, float]
    polygon: tuple[float, ...] = ()
    difficult: bool = False


def find_coco(listing: Listing) -> Found | None:
    """COCO's JSON files and the folders of their images."""
    splits: list[Split] = []
    classes: dict[int, str] = {}
    notes: list[str] = []
    seen: list[str] = []
    for name in _coco_files(listing, notes):
        document = read_document(Path(listing.folder, name))
        files = [each["file_name"] for each in document["images"] if _is_name(each)]
        folder = _folder_of(files, name, listing)
        if folder is None:
            notes.append(f"{name} names images that are not there, such as {files[0]}")
            continue
        place = Path(listing.folder, folder)
        known = set(listing.images)
        prefix = "" if folder == "." else f"{folder}/"
        images = tuple(sorted({place / each for each in files if f"{prefix}{each}" in known}))
        split = split_of(stem_of(name)) or split_in(name) or split_in(f"{folder}/x")
        annotations = Path(listing.folder, name)
        splits.append(Split(split, images, annotations=annotations, folder=place))
        classes |= numbered(document["categories"], "name")
        seen.append(f"{name} names {len(images)} images in {folder}/")
    if not splits:
        return None
    names = tuple(classes[number] for number in sorted(classes))
    return Found(
        "coco", listing.folder, "; ".join(seen), tuple(splits), classes=names, notes=tuple(notes)
    )


def numbered(entries: list[dict[str, Any]], field: str) -> dict[int, str]:
    """A field of each entry of a COCO list as text, by id; entries without an id are left out."""
    return {each["id"]: str(each.get(field)) for each in entries if type(each.get("id")) is int}


def find_voc(listing: Listing) -> Found | None:
    """XML files with objects, each of an image."""
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(".xml")]
    if not any(_is_voc(Path(listing.folder, name)) for name in files[:TRIED]):
        return None
    pairs = paired(files, sorted(listing.images))
    if not pairs:
        return None
    unmatched = tuple(name for name in files if name not in pairs)
    why = f"{len(pairs)} XML files have the names of images"
    return _found("voc", why, pairs, listing, unmatched=unmatched)


def find_yolo(listing: Listing) -> Found | None:
    """Text files of boxes or polygons, each of an image."""
    texts = [name for name in sorted(listing.skipped) if name.lower().endswith(".txt")]
    pairs = paired(texts, sorted(listing.images))
    filled = (name for name in pairs if lines_of(listing, name))
    tried = [name for name, _ in zip(filled, range(TRIED), strict=False)]
    fitting = sum(_has_rows(lines_of(listing, name)) for name in tried)
    if 2 * fitting <= len(tried):
        return None
    settings, notes = _yolo_settings(listing)
    classes = _yolo_names(settings, listing)
    shape, keypoints = settings.get("kpt_shape"), 0
    if shape:
        notes.append("the labels have keypoints, which are not used")
    if isinstance(shape, list) and all(type(number) is int for number in shape):
        keypoints = math.prod(shape)
    lists = {name for name in texts if name not in pairs}
    labels = {folder_of(name) for name in pairs}
    unmatched = tuple(name for name in sorted(lists) if folder_of(name) in labels)
    unmatched = tuple(n for n in unmatched if name_of(n) not in NAME_FILES)
    why = f"{len(pairs)} text files of numbers have the names of images"
    found = _found("yolo", why, pairs, listing, unmatched=unmatched, notes=tuple(notes))
    return Found(**{**vars(found), "classes": classes, "keypoints": keypoints})


def read_voc(path: Path) -> tuple[tuple[int, int] | None, list[Box]]:
    """Stated width and height, and objects of a VOC file, with the corners that it states.

    Raises:
        BenchError: If it is not such a file, or a box is not one.
    """
    root = _xml(path)
    if root.tag != "annotation":
        raise BenchError(f"{path} has the root <{root.tag[:40]}>, expected VOC's <annotation>")
    size = root.find("size")
    sides = [] if size is None else [_number(size, side, path) for side in ("width", "height")]
    stated = (int(sides[0]), int(sides[1])) if sides and all(sides) else None
    boxes = []
    for number, each in enumerate(root.iter("object"), 1):
        name, corners = (each.findtext("name") or "").strip(), each.find("bndbox")
        if not name or corners is None:
            raise BenchError(
                f"object {number} of {path} has no {'<bndbox>' if name else '<name>'}; correct it, "
                "or remove the object"
            )
        left, top, right, bottom = (
            _number(corners, side, path) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        difficult = (each.findtext("difficult") or "").strip() == "1"
        boxes.append(Box(name, (left, top, right - left, bottom - top), difficult=difficult))
    return stated, boxes


def first_corner(boxes: Iterable[Box]) -> int:
    """From which number VOC's corners are counted: 1, unless a corner below 1 says that it is 0."""
    return 0 if any(side < 1 for each in boxes for side in each.box[:2]) else 1


def from_zero(box: Box, first: int) -> tuple[float, float, float, float]:
    """x, y, width, height of a box of VOC; corners from 1 include the last pixel."""
    left, top, width, height = box.box
    return left - first, top - first, width + first, height + first


def read_yolo(path: Path, *, keypoints: int = 0) -> list[Box]:
    """Objects of a YOLO file: rows of class, centre and size, or of class and polygon.

    Args:
        path: The file.
        keypoints: Numbers that describe keypoints, after a box; they are not used.

    Raises:
        BenchError: If a row is neither.
    """
    try:
        text = _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not text; expected rows of YOLO's numbers") from error
    boxes = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            words = line.split()
            words = words[:5] if keypoints and len(words) == 5 + keypoints else words
            boxes.append(_yolo_row(words, f"line {number} of {path}"))
    return boxes


def _yolo_row(words: list[str], where: str) -> Box:
    try:
        label, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        label, values = math.nan, []
    is_box, is_polygon = len(values) == 4, len(values) >= 6 and len(values) % 2 == 0
    if not label.is_integer() or label < 0 or not (is_box or is_polygon):
        shown = " ".join(words)[:60]
        raise BenchError(
            f"{where} is {shown!r}, expected a class number and x, y, width, height (or a polygon)"
        )
    if not all(-1 <= value <= 2 for value in values):
        raise BenchError(
            f"{where} has values outside of 0 to 1; YOLO's are shares of the image: divide them by "
            "its width and height"
        )
    if is_box:
        x, y, width, height = values
        return Box(str(int(label)), (x - width / 2, y - height / 2, width, height))
    left, top = min(values[::2]), min(values[1::2])
    box = (left, top, max(values[::2]) - left, max(values[1::2]) - top)
    return Box(str(int(label)), box, tuple(values))


NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels")


def _yolo_settings(listing: Listing) -> tuple[dict[str, Any], list[str]]:
    """The YAML file with the names of the classes; empty if there is none."""
    notes = []
    files = [name for name in sorted(listing.skipped) if name.lower().endswith((".yaml", ".yml"))]
    for name in sorted(files, key=lambda name: name.count("/"))[:TRIED]:
        try:
            read_regular(Path(listing.folder, name))
            content = read_yaml(Path(listing.folder, name))
        except (NotYamlError, OSError) as error:
            notes.append(f"{name} is not read: {error}")
            continue
        if isinstance(content, dict) and isinstance(content.get("names"), (list, dict)):
            return content, notes
    return {}, notes


def _yolo_names(settings: dict[str, Any], listing: Listing) -> tuple[str, ...]:
    names = settings.get("names")
    if isinstance(names, dict):
        numbers = [number for number in names if type(number) is int and 0 <= number < 10_000]
        return tuple(
            str(names.get(number, number)) for number in range(max(numbers, default=-1) + 1)
        )
    if names:
        return tuple(map(str, names))
    for name in sorted(listing.skipped):
        if name_of(name) in NAME_FILES:
            return tuple(line.strip() for line in lines_of(listing, name))
    return ()


def _found(
    kind: str,
    why: str,
    pairs: dict[str, str],
    listing: Listing,
    *,
    unmatched: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Found:
    """A data set of images with a label file each; splits by folders, else by lists."""
    place = listing.folder
    label_of = {image: label for label, image in pairs.items()}
    used = _with_folders(label_of, listing.images)
    groups = by_split(used)
    if set(groups) == {""}:
        lists = dict(listed_splits(listing, "ImageSets"))
        groups = {
            split: [name for name in used if stem_of(name) in stems]
            for split, stems in lists.items()
        } or groups
    splits = tuple(
        Split(
            split,
            tuple(Path(place, name) for name in sorted(names)),
            {Path(place, n): Path(place, label_of[n]) for n in sorted(names) if n in label_of},
        )
        for split, names in groups.items()
        if names
    )
    return Found(kind, place, why, splits, notes=notes, unmatched=unmatched)


def _with_folders(chosen: Any, images: list[str]) -> list[str]:
    """All images in folders that have a chosen one."""
    folders = in_folders(chosen)
    return [name for name in sorted(images) if folder_of(name) in folders]


def _coco_files(listing: Listing, notes: list[str]) -> list[str]:
    """JSON files with COCO's lists; of several for one split those of instances."""
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(".json")]
    files = [name for name in files if _looks_like_coco(Path(listing.folder, name))]
    named = [name for name in files if "instances" in name_of(name).lower()]
    if named and len(named) < len(files):
        left = ", ".join(name for name in files if name not in named)
        notes.append(f"{left}: not used, as other files are named instances")
    return named or files


def _looks_like_coco(path: Path) -> bool:
    """Whether the ends of a file have COCO's keys; a large file is not read for that."""
    try:
        with open_regular(path) as stream:
            text = stream.read(EDGE)
            stream.seek(max(0, stream.seek(0, 2) - EDGE))
            text += stream.read(EDGE)
    except OSError:
        return False
    keys = (b'"images"', b'"annotations"', b'"categories"', b'"bbox"')
    return all(key in text for key in keys) and text.lstrip()[:1] == b"{"


def _is_name(image: dict[str, Any]) -> bool:
    return isinstance(image.get("file_name"), str)


def _folder_of(files: list[str], name: str, listing: Listing) -> str | None:
    """The folder below which the most of ``files`` are; None if none are anywhere."""
    if not files:
        return None
    known, tried = set(listing.images), files[:: max(1, len(files) // NAMED)]
    parents = {parent for each in in_folders(listing.images) for parent in _and_above(each)}
    counts = Counter(
        {
            folder: sum((each if folder == "." else f"{folder}/{each}") in known for each in tried)
            for folder in parents
        }
    )
    if not counts or not max(counts.values()):
        return None
    split = split_of(stem_of(name)) or split_in(name)
    best = [folder for folder, count in counts.items() if count == max(counts.values())]
    near = folder_of(name)
    return min(best, key=lambda each: (split_in(f"{each}/x") != split, each != near, each))


def _and_above(folder: str) -> Iterator[str]:
    path = PurePosixPath(folder)
    yield from map(str, (path, *path.parents))


def _is_voc(path: Path) -> bool:
    try:
        root = _xml(path)
    except (BenchError, OSError):
        return False
    return root.tag == "annotation" and (
        root.find("object") is not None or root.find("filename") is not None
    )


def _has_rows(lines: list[str]) -> bool:
    """Whether all lines have a class number and at least four other numbers."""
    return all(re.fullmatch(r"\d+(\s+-?[\d.]+(e-?\d+)?){4,}", line.strip()) for line in lines)


def _content(path: Path) -> bytes:
    content = read_regular(path)
    if len(content) > LARGEST_TEXT:
        raise BenchError(f"{path} has {len(content) / 1e6:.0f} MB, too much for one image")
    return content


def _xml(path: Path) -> ElementTree.Element:
    """Root of an XML file.

    Raises:
        BenchError: If it is not UTF-8 or not XML, or declares entities, which can fill the memory.
    """
    try:
        text = _content(path).decode("utf-8-sig")
        if re.search("<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
            raise BenchError(f"{path} has a document type, which can hide anything; remove it")
        return ElementTree.fromstring(text)  # noqa: S314  (no document type: no entities)
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise BenchError(f"{path} is not XML ({error}); restore or remove it") from error


def _number(parent: ElementTree.Element, name: str, path: Path) -> float:
    text = parent.findtext(name)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not -SIDE < value < SIDE:
        raise BenchError(
            f"{path} has <{name}> {(text or '')[:40]!r} in <{parent.tag[:40]}>, expected a number "
            "of pixels; correct it, or remove the object"
        )
    return value
