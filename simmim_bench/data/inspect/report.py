"""The report of ``prepare_data.py inspect``: what a data set holds, in 80 columns."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from simmim_bench.data.image_files import shown
from simmim_bench.data.inspect.found import KINDS
from simmim_bench.data.inspect.labels import Labels
from simmim_bench.data.inspect.look import Look, quartiles, suffixes
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.own import CARD, OwnDataset, read_dataset

ENDS = 5  # classes at both ends of the balance
WIDTH = 80

CONFIGS = {
    "classification": "configs/small/cifar10_swin-demo.py",
    "boxes": "configs/small/faster-rcnn_swin-demo_fpn.py",
    "objects": "configs/small/mask-rcnn_swin-demo_fpn.py",
    "segmentation": "configs/small/upernet_swin-demo.py",
}
"""Recipes that train on a laptop."""


def print_report(seen: Look, console: Console) -> None:
    """Print what was seen."""
    table = Table(show_header=False, box=None, padding=(0, 1), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows(seen):
        table.add_row(name, Text(text))
    console.print(table)
    for title, lines in (("to correct", seen.problems), ("to know", seen.notes)):
        if lines:
            console.print(f"\n{title}:", style="bold")
            listed = Table.grid(padding=(0, 1))
            for line in lines:
                listed.add_row("-", Text(shown(line)))
            console.print(listed)


def rows(seen: Look) -> Iterator[tuple[str, str]]:
    """Name and text of each line of the report."""
    found = seen.found
    yield "layout", f"{found.kind}: {KINDS[found.kind]}"
    yield "why", shown(found.why)
    if found.also:
        kinds = " or ".join(f"--layout {kind}" for kind in (found.kind, *found.also))
        yield "ambiguous", f"{', '.join(found.also)} fits as well; choose with {kinds}"
    splits = ", ".join(f"{name or 'others'}: {count}" for name, count in seen.counts.items())
    yield "images", f"{seen.images}{f' ({splits})' if set(seen.counts) != {''} else ', no splits'}"
    names = suffixes(found).most_common()
    yield "suffixes", ", ".join(f"{count} {suffix or 'none'}" for suffix, count in names)
    yield "opened", f"{len(seen.opened)} of {seen.images} images (headers)"
    if sizes := seen.sizes():
        middle = sizes[len(sizes) // 2]
        ends = (sizes[0], middle, sizes[-1])
        yield (
            "pixels",
            "smallest {}, median {}, largest {}".format(
                *(f"{width} x {height}" for width, height in ends)
            ),
        )
    depths = seen.depths.most_common(3)
    yield "bands", "; ".join(f"{_bands(*depth)}: {count}" for depth, count in depths) or "unknown"
    if seen.labels:
        yield from _label_rows(seen, seen.labels)
    if seen.skipped:
        yield "skipped", shown(seen.skipped)


def _label_rows(seen: Look, labels: Labels) -> Iterator[tuple[str, str]]:
    what = {"images": "images with a class", "objects": "label files", "pixels": "label maps"}
    if seen.found.kind == "coco":
        what["objects"] = "images"
    yield "labels", f"{labels.read} of {labels.total} {what[labels.unit]} read"
    names = seen.found.classes
    if labels.unit == "pixels":
        values = sorted(map(int, labels.counts))
        yield "values", f"{len(values)}: {_ranges(values)}"
        yield "ignored", f"{100 * labels.share('255'):.2g} % of the pixels (label 255)"
    else:
        yield "classes", f"{len(labels.counts)}{f' of {len(names)} named' if names else ''}"
    if labels.unit == "objects":
        count = labels.counts.total()
        yield "objects", f"{count}; {quartiles(labels.objects)} of an image (min, median, max)"
        yield "masks", f"{labels.with_masks} of {count} objects"
    ordered = labels.counts.most_common()
    if len(ordered) <= 2 * ENDS:
        yield "balance", _balance(labels, ordered)
    else:
        yield "most", _balance(labels, ordered[:ENDS])
        yield "fewest", _balance(labels, ordered[-ENDS:])


def _balance(labels: Labels, ordered: list[tuple[str, int]]) -> str:
    if labels.unit == "pixels":
        return ", ".join(f"{name}: {100 * labels.share(name):.2g} %" for name, _ in ordered)
    return ", ".join(f"{shown(name)}: {number}" for name, number in ordered)


def _bands(channels: int, bits: int, kind: str) -> str:
    return f"{channels} x {bits} bits, {kind}"


def _ranges(values: list[int]) -> str:
    """``0-10, 255``."""
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def next_commands(seen: Look, path: Path) -> list[tuple[str, str]]:
    """What to run next: a title and a command line each."""
    own = own_dataset(path)
    found, name = seen.found, own.name if own else usual_name(path)
    layout = f" --layout {found.kind}" if found.also else ""
    source = shlex.quote(str(path))
    out = f"work_dirs/{name}-pretraining"
    weights = f"{out}/export/backbone.pth"
    tasks = {
        "detection": "objects" if seen.labels and _has_masks(seen.labels) else "boxes",
    }
    task = tasks.get(found.task, found.task)
    train = "python tools/train.py"
    bring = ("bring it in", f"python tools/prepare_data.py import {name} --from {source}{layout}")
    commands = [
        *([] if own else [bring]),
        ("pretrain", f"{train} configs/small/simmim_swin-demo.py --data {name} --work-dir {out}"),
        ("export", f"python tools/export_backbone.py {out} --out {out}/export"),
    ]
    if task in CONFIGS:
        commands.append(("train", f"{train} {CONFIGS[task]} --data {name} --pretrained {weights}"))
    data = f" --data {name}" if task in CONFIGS else ""
    commands.append(("compare", f"python tools/evaluate.py {weights}{data} --against scratch"))
    return commands


def own_dataset(folder: Path) -> OwnDataset | None:
    """The description in a folder of own data; None for other data."""
    return read_dataset(folder.resolve()) if (folder / CARD).is_file() else None


def _has_masks(labels: Labels) -> bool:
    return labels.with_masks >= max(1, labels.counts.total())


def usual_name(path: Path) -> str:
    """A name for the data, from that of their folder: letters, digits and hyphens."""
    given = path.resolve()
    stem = given.name if given.is_dir() else given.stem
    text = unicodedata.normalize("NFC", stem).lower()
    name = re.sub(r"[\W_]+", "-", text).strip("-") or "data"
    return f"my-{name}" if name in ("data", *LAYOUTS) else name
