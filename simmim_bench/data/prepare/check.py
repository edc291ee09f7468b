"""Check a prepared dataset: counts, classes, every image, label map and COCO annotation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simmim_bench.data.annotations import read_document, validate
from simmim_bench.data.bands import read_values
from simmim_bench.data.depth import read_depth
from simmim_bench.data.image_files import Listing, list_images
from simmim_bench.data.labels import read_labels
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.pixels import (
    Header,
    UnreadableImageError,
    read_header,
    read_pixels,
    unusual_headers,
)
from simmim_bench.data.prepare.parallel import Advance, in_parallel
from simmim_bench.data.rle import short
from simmim_bench.errors import BenchError

# raised by Pillow for broken files
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)

LABELS = {
    "ade20k": frozenset(range(151)),  # 0 is "other"; 1 to 150 the classes
    "cityscapes": frozenset({*range(19), 255}),
    "voc": frozenset({*range(21), 255}),
}
"""Values that a label map may hold."""

Size = tuple[int, int] | None


@dataclass
class Part:
    """Result for one part of a dataset."""

    name: str
    found: int
    expected: int | None = None
    """Required number of images; None if any number is fine."""
    full: int | None = None
    """Number of images of the published dataset; fewer are a subset."""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no problem, but may be unexpected."""


@dataclass(frozen=True)
class Seen:
    """Result of opening one image."""

    problem: str | None = None
    size: tuple[int, int] | None = None
    """Width and height."""
    header: Header | None = None


def unreadable(files: list[Path], advance: Advance, channels: int | None = None) -> list[str]:
    """A sentence for each file that cannot be fully decoded."""
    look = partial(examine, channels=channels)
    return [seen.problem for seen in in_parallel(look, files, advance) if seen.problem]


def examine(path: Path, channels: int | None = None) -> Seen:
    """Decode one image completely, as a training would."""
    return decoded(path, f"{path}:", channels)


def decoded(source: Path | bytes, name: str, channels: int | None = None) -> Seen:
    """Decode an image completely.

    Args:
        source: File, or its content.
        name: Begins the sentence of a problem.
        channels: Number of bands, of any depth; None: RGB of 8 bits.
    """
    try:
        if channels is not None:
            height, width, _ = read_values(source, channels=channels).shape
            return Seen(size=(width, height))
        height, width, _ = read_pixels(source).shape
        return Seen(size=(width, height), header=read_header(source))
    except UnreadableImageError as error:
        return Seen(f"{name} cannot be read ({error})")


def image_total(dataset: str, folder: Path) -> int:
    """Number of images that ``check_layout`` opens."""
    return sum(len(list_images(folder / entry).images) for entry in LAYOUTS[dataset].entries)


def check_layout(dataset: str, folder: Path, advance: Advance = lambda _: None) -> list[Part]:
    """Open every image of ``dataset``, and compare images with labels and annotations.

    Args:
        dataset: A key of ``LAYOUTS`` other than ``demo``.
        folder: Folder of the dataset.
        advance: Called with the number of images opened since the last call.

    Returns:
        One part per entry of the layout, with its problems.
    """
    layout = LAYOUTS[dataset]
    parts: list[Part] = []
    seen: dict[str, dict[Path, Seen]] = {}
    for entry in layout.entries:
        path = folder / entry
        if not path.exists():
            parts.append(Part(entry, 0, full=layout.full.get(entry), problems=[f"{path}: missing"]))
        elif path.is_dir():
            look = _look(dataset) if _is_map(entry) else examine
            listing = list_images(path)
            files = listing.paths()
            seen[entry] = dict(zip(files, in_parallel(look, files, advance), strict=True))
            parts.append(_part(entry, listing, layout.full.get(entry), seen[entry]))
        elif path.suffix == ".json":
            split = path.stem.removeprefix("instances_")
            if split not in seen:  # its folder is missing, which was said
                continue
            sizes = {str(p.relative_to(folder / split)): s.size for p, s in seen[split].items()}
            full = layout.full.get(split)
            parts.append(check_instances(path, entry, sizes, full=full))
    by_name = {part.name: part for part in parts}
    for entry in seen:
        if _is_map(entry):
            images = entry.replace("annotations/", "images/")
            by_name[entry].problems += _pair(folder, images, entry, seen)
    if layout.class_folders:
        by_name[layout.class_folders[-1]].problems += _classes(folder, layout.class_folders)
    return parts


def check_instances(
    path: Path, name: str, sizes: Mapping[str, Size], *, full: int | None = None
) -> Part:
    """Check one annotation file.

    Args:
        path: Annotation file.
        name: Name in the table.
        sizes: Width and height of each existing image by file name; None if unreadable.
        full: Number of images of the published file.

    Returns:
        The part; ``found`` is the number of listed images.
    """
    try:
        document = read_document(path)
    except BenchError as error:
        return Part(name, 0, full=full, problems=[str(error)])
    report = validate(document)
    problems, notes = [*report.errors, *report.warnings], []
    if report.no_mask:
        count, first = report.no_mask
        if count == report.annotations:
            notes = [f"{path}: boxes without masks; train them with configs of faster-rcnn"]
        else:
            problems.append(f"{first} ({count} in all); detection of boxes alone needs none")
    problems += [
        f"image {short(image.get('id'))} ({short(image['file_name'])}) {problem}"
        for image in document["images"]
        if isinstance(image.get("file_name"), str) and (problem := _image_problem(image, sizes))
    ]
    found = [f"{path}: {text}" for text in problems]
    return Part(name, report.images, full=full, problems=found, notes=notes)


def _is_map(entry: str) -> bool:
    return entry.startswith("annotations/") and not entry.endswith(".json")


def _part(entry: str, listing: Listing, full: int | None, seen: dict[Path, Seen]) -> Part:
    problems = [*listing.problems, *(each.problem for each in seen.values() if each.problem)]
    if not seen:
        problems.append(f"{listing.folder}: has no image")
    if full is not None and len(seen) > full:
        problems.append(f"{listing.folder}: has {len(seen)} images, the full dataset has {full}")
    notes = notes_of(listing, seen.values())
    return Part(entry, len(seen), full=full, problems=problems, notes=notes)


def notes_of(listing: Listing, seen: Iterable[Seen]) -> list[str]:
    """Sentences about skipped files, orientation tags, frames and depth."""
    unusual = unusual_headers([each.header for each in seen if each.header])
    notes = [listing.note(), f"{listing.folder}: {unusual}" if unusual else None]
    return [note for note in notes if note]


def _look(dataset: str) -> Callable[[Path], Seen]:
    """What examines a map of ``dataset``: of labels, or of depth."""
    return partial(_examine_map, known=LABELS[dataset]) if dataset in LABELS else _examine_depth


def _examine_depth(path: Path) -> Seen:
    """Decode one depth map."""
    try:
        height, width = read_depth(path).shape
    except BenchError as error:
        return Seen(str(error).replace(f"depth map {path}", f"{path}:", 1))
    return Seen(size=(width, height))


def _examine_map(path: Path, known: frozenset[int]) -> Seen:
    """Decode one label map; its values must be ``known``."""
    try:
        values = read_labels(path)
    except BenchError as error:
        return Seen(str(error).replace(f"label map {path}", f"{path}:", 1))
    size = (values.shape[1], values.shape[0])
    unknown = set(np.unique(values).tolist()) - known
    if unknown:
        return Seen(f"{path}: has the unknown label {min(unknown)}", size)
    return Seen(size=size)


def _pair(folder: Path, images: str, maps: str, seen: dict[str, dict[Path, Seen]]) -> list[str]:
    """Images without label map, label maps without image, pairs whose sizes differ."""
    image, label = (
        {path.relative_to(folder / entry).with_suffix(""): path for path in seen.get(entry, ())}
        for entry in (images, maps)
    )
    problems = [f"{image[key]}: has no label map" for key in sorted(image.keys() - label.keys())]
    problems += [f"{label[key]}: has no image" for key in sorted(label.keys() - image.keys())]
    for key in sorted(image.keys() & label.keys()):
        sizes = seen[images][image[key]].size, seen[maps][label[key]].size
        if None not in sizes and sizes[0] != sizes[1]:
            problems.append(f"{label[key]}: is {_times(sizes[1])}, its image {_times(sizes[0])}")
    return problems


def _times(size: tuple[int, int] | None) -> str:
    return " x ".join(map(str, size or ()))


def _classes(folder: Path, splits: tuple[str, ...]) -> list[str]:
    """Problems of class folders; a missing one would shift the labels of later classes."""
    names = {
        split: set(list_images(folder / split).folders)
        for split in splits
        if (folder / split).is_dir()
    }
    everything = set().union(*names.values())
    problems = [
        f"{folder / split / name}: missing, but other splits have this class"
        for split in names
        for name in sorted(everything - names[split])
    ]
    for split, found in names.items():
        for name in sorted(found):
            if not list_images(folder / split / name).images:
                problems.append(f"{folder / split / name}: has no image")
        loose = [folder / split / image for image in list_images(folder / split).images
                 if "/" not in image]  # fmt: skip
        problems += [f"{path}: is not in a class folder" for path in sorted(loose)]
    return problems


def _image_problem(image: dict[str, Any], sizes: Mapping[str, Size]) -> str | None:
    name, stated = image["file_name"], (image.get("width"), image.get("height"))
    if name not in sizes:
        return "is not in the folder"
    found = sizes[name]
    if found is not None and found != stated:
        return f"is {found[0]} x {found[1]}, the file says {stated[0]} x {stated[1]}"
    return None
