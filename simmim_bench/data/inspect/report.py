"""The report of ``simmim-bench data inspect``: what a data set holds, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from simmim_bench.data.image_files import shown
from simmim_bench.data.inspect.found import KINDS
from simmim_bench.data.inspect.labels import Labels
from simmim_bench.data.inspect.look import Look, quartiles, suffixes

ENDS = 5  # classes at both ends of the balance
WIDTH = 80


def print_report(seen: Look, console: Console) -> None:
    """Print what was seen."""
    table = Table(show_header=False, box=None, padding=(0, 1), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows(seen):
        table.add_row(name, Text(text))
    print_trimmed(table, console)
    for title, lines in (("to correct", seen.problems), ("to know", seen.notes)):
        if lines:
            console.print(f"\n{title}:", style="bold")
            listed = Table.grid(padding=(0, 1))
            for line in lines:
                listed.add_row("-", Text(shown(line)))
            print_trimmed(listed, console)


def print_trimmed(given: RenderableType, console: Console) -> None:
    """Print without the spaces that fill the lines of a table."""
    for line in console.render_lines(given, pad=False):
        while line and not line[-1].text.rstrip():
            line.pop()
        if line:
            line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
        console.print(Segments([*line, Segment.line()]), end="", soft_wrap=True)


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
    readable = sum(not each.problem for each in seen.opened)
    yield "opened", f"{readable} of {seen.images} images (headers)"
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
