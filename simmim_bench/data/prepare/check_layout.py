"""Check a dataset in its folders: counts, classes, every image, every label map."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.prepare.check import BROKEN, Part, Seen, examine, image_files
from simmim_bench.data.prepare.check_coco import check_instances
from simmim_bench.data.prepare.parallel import Advance, in_parallel

LABELS = {
    "ade20k": frozenset(range(151)),  # 0 is "other"; 1 to 150 the classes
    "cityscapes": frozenset({*range(19), 255}),
}
"""Values that a label map may hold."""


def image_total(dataset: str, folder: Path) -> int:
    """Images that ``check_layout`` will open."""
    return sum(len(image_files(folder / entry)) for entry in LAYOUTS[dataset].entries)


def check_layout(dataset: str, folder: Path, advance: Advance = lambda _: None) -> list[Part]:
    """Open every image of ``dataset`` and compare what belongs together.

    Args:
        dataset: A key of ``LAYOUTS`` other than ``demo``.
        folder: Its home.
        advance: Told how many more images have been opened.

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
            look = partial(_examine_map, known=LABELS[dataset]) if _is_map(entry) else examine
            files = image_files(path)
            seen[entry] = dict(zip(files, in_parallel(look, files, advance), strict=True))
            parts.append(_part(entry, path, layout.full.get(entry), seen[entry]))
        elif path.suffix == ".json":
            split = path.stem.removeprefix("instances_")
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


def _is_map(entry: str) -> bool:
    return entry.startswith("annotations/") and not entry.endswith(".json")


def _part(entry: str, path: Path, full: int | None, seen: dict[Path, Seen]) -> Part:
    problems = [each.problem for each in seen.values() if each.problem]
    if not seen:
        problems.append(f"{path}: holds no image")
    if full is not None and len(seen) > full:
        problems.append(f"{path}: holds {len(seen)} images, the full dataset {full}")
    return Part(entry, len(seen), full=full, problems=problems)


def _examine_map(path: Path, known: frozenset[int]) -> Seen:
    """Decode one label map; its values must be ``known``."""
    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except BROKEN as error:
        return Seen(f"{path}: cannot be read ({error})")
    if values.ndim != 2:
        return Seen(f"{path}: has {values.shape[2]} channels; a label map has one")
    size = (values.shape[1], values.shape[0])
    strange = set(np.unique(values).tolist()) - known
    if strange:
        return Seen(f"{path}: has the unknown label {min(strange)}", size)
    return Seen(size=size)


def _pair(folder: Path, images: str, maps: str, seen: dict[str, dict[Path, Seen]]) -> list[str]:
    """Images without label map, label maps without image, pairs of two sizes."""
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
    """Class folders that one split lacks: its later classes would get other numbers."""
    names = {
        split: {entry.name for entry in (folder / split).glob("*") if entry.is_dir()}
        for split in splits
        if (folder / split).is_dir()
    }
    everything = set().union(*names.values())
    problems = [
        f"{folder / split / name}: missing, other splits have this class"
        for split in names
        for name in sorted(everything - names[split])
    ]
    for split, found in names.items():
        for name in sorted(found):
            if not image_files(folder / split / name):
                problems.append(f"{folder / split / name}: holds no image")
        loose = [path for path in (folder / split).glob("*.*") if path.is_file()]
        problems += [f"{path}: lies in no class folder" for path in sorted(loose)]
    return problems
