"""Tables that name images and their labels: CSV, TSV and lists in text files."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.data.image_files import Listing, read_regular
from simmim_bench.data.inspect.found import (
    Found,
    Split,
    folder_of,
    name_of,
    split_in,
    split_of,
    stem_of,
)

LABEL_COLUMNS = (
    "label", "labels", "class", "class_name", "classname", "category", "target", "species", "y",
    "diagnosis", "breed", "fine_label", "class_id", "label_id", "category_id",
)  # fmt: skip
"""Usual names of the column with the label, the likeliest first."""
SPLIT_COLUMNS = ("split", "set", "subset", "partition", "fold", "phase")
BOX_COLUMNS = ("xmin", "x_min", "bbox", "x1", "left")
TRIED = 200  # rows that decide
LARGEST = 1 << 29  # bytes


@dataclass(frozen=True)
class Table:
    """A table in which a column names images.

    Attributes:
        name: Its file, relative to the root.
        header: Names of the columns; empty if the file has none.
        image: Position of the column with the images.
        label: Position of the column with the labels; None if there is none.
        split: Position of the column with the split; None if there is none.
        rows: Image, relative to the root, and cells of each row whose image exists.
        absent: Images that do not exist.
    """

    name: str
    header: list[str]
    image: int
    label: int | None
    split: int | None
    rows: list[tuple[str, list[str]]]
    absent: list[str]


class Names:
    """Finds the images that cells of a table mean."""

    def __init__(self, images: list[str]) -> None:
        self.whole = set(images)
        self.short: dict[str, list[str]] = {}
        for image in images:
            for each in {name_of(image), stem_of(image)}:
                self.short.setdefault(each, []).append(image)

    def find(self, cell: str, folder: str) -> str | None:
        """The image: a path from ``folder`` or the root, the end of a path, or a unique name."""
        given = cell.strip().replace("\\", "/").removeprefix("./")
        parts = [part for part in given.split("/") if part]
        if not parts or ".." in parts:
            return None
        for start in range(len(parts)):
            path = "/".join(parts[start:])
            for each in (f"{folder}/{path}", path):
                if each in self.whole:
                    return each
        same = self.short.get(parts[-1], ())
        if len(same) > 1:  # the split's own folder
            same = [each for each in same if split_in(each) == split_in(f"{folder}/x")]
        return same[0] if len(same) == 1 else None


def find_tables(listing: Listing) -> Found | None:
    """Tables whose cells name the images."""
    if not listing.images:
        return None
    names = Names(sorted(listing.images))
    suffixes = (".csv", ".tsv", ".txt")
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(suffixes)]
    tables = [table for name in files if (table := _table(listing, name, names))]
    tables = _chosen(tables)
    if not tables:
        return None
    splits: list[Split] = []
    notes: list[str] = []
    classes: set[str] = set()
    for table in tables:
        parts, told = _splits(table, listing.folder)
        splits += parts
        notes += told
        classes.update(name for part in parts for name in part.class_names.values())
    first = next((table for table in tables if table.label is not None), tables[0])
    columns = (_column(first, first.image), _column(first, first.label))
    why = "; ".join(
        f"column {_column(table, table.image)!r} of {table.name} names {len(table.rows)} images"
        for table in tables
    )
    return Found(
        "csv", listing.folder, why, tuple(splits),
        classes=tuple(sorted(classes)), columns=columns, notes=tuple(notes),
    )  # fmt: skip


def _table(listing: Listing, name: str, names: Names) -> Table | None:
    """The table in a file, if it names images."""
    rows = _rows(Path(listing.folder, name))
    if not rows or len(rows[0]) < (2 if name.lower().endswith(".txt") else 1):
        return None
    folder = folder_of(name)
    width = len(rows[0])
    tried = rows[1 : 1 + TRIED] or rows
    hits = []
    for place in range(width):
        cells = [row[place] for row in tried if place < len(row)]
        found = [path for cell in cells if (path := names.find(cell, folder))]
        hits.append((len(set(found)), len(found), -place))  # numbers of classes may be names, too
    _, most, place = max(hits)
    if 2 * most < len(tried) or not most:
        return None
    image = -place
    has_header = len(rows) > 1 and names.find(rows[0][image], folder) is None
    header = [cell.strip() for cell in rows[0]] if has_header else []
    body = rows[1:] if has_header else rows
    lowered = [cell.lower() for cell in header]
    label = _label_column(lowered, body, image, width)
    split = next((lowered.index(each) for each in SPLIT_COLUMNS if each in lowered), None)
    found_rows, absent = [], []
    for row in body:
        path = names.find(row[image], folder) if image < len(row) else None
        if path is not None:
            found_rows.append((path, row))
        elif image < len(row):
            absent.append(row[image])
    return Table(name, header, image, label, split, found_rows, absent)


def _rows(path: Path) -> list[list[str]]:
    """Rows of a table; none if it is not text."""
    try:
        content = read_regular(path)
        text = content.decode("utf-8-sig") if len(content) <= LARGEST else ""
        first = next((line for line in text.splitlines() if line.strip()), "")
        marks = "\t" if path.suffix.lower() == ".tsv" else ",;\t"
        if path.suffix.lower() == ".txt":
            marks += " "
        mark = max(marks, key=first.count) if first else ","
        found = csv.reader(text.splitlines(), delimiter=mark, strict=True)
        return [row for row in found if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _label_column(header: list[str], body: list[list[str]], image: int, width: int) -> int | None:
    """Column with the labels: by its name, else the only one whose values repeat."""
    for name in LABEL_COLUMNS:
        if name in header and header.index(name) != image:
            return header.index(name)
    repeated = []
    for place in range(width):
        cells = {row[place] for row in body if place < len(row)}
        if place != image and 2 <= len(cells) <= max(2, len(body) // 2):
            repeated.append(place)
    repeated = [each for each in repeated if not header or header[each] not in SPLIT_COLUMNS]
    return repeated[0] if len(repeated) == 1 else None


def _chosen(tables: list[Table]) -> list[Table]:
    """Tables of splits if there are some, else those with labels, else the first."""
    if named := [each for each in tables if _split_name(each)]:
        return named
    labelled = [each for each in tables if each.label is not None]
    return (labelled or tables)[:1]


def _split_name(table: Table) -> str:
    return split_of(stem_of(table.name)) or split_in(table.name)


def _splits(table: Table, root: Path) -> tuple[list[Split], list[str]]:
    """Splits of a table, and what may surprise in it."""
    groups: dict[str, dict[Path, str]] = {}
    notes, several = [], Counter[Path]()
    for name, row in table.rows:
        split = split_of(_cell(row, table.split)) or _split_name(table)
        label = _cell(row, table.label)
        group, path = groups.setdefault(split, {}), Path(root, name)
        if group.get(path, label) != label:
            several[path] += 1
        group.setdefault(path, label)
    if table.absent:
        notes.append(
            f"{table.name}: {len(table.absent)} rows name images that are not there, such as "
            f"{table.absent[0][:80]}"
        )
    if several:
        notes.append(
            f"{table.name}: {len(several)} images have several labels, such as "
            f"{min(several).name}; the first counts"
        )
    if boxes := [each for each in table.header if each.lower() in BOX_COLUMNS]:
        notes.append(
            f"{table.name} has boxes (column {boxes[0]!r}), which are not read; write them as "
            "COCO, VOC or YOLO"
        )
    if table.label is None and len(table.header) > 1:
        others = ", ".join(each for i, each in enumerate(table.header) if i != table.image)
        notes.append(
            f"{table.name}: no column is sure to hold the label (found: {others[:200]}); name it "
            "label"
        )
    parts = [
        Split(
            split,
            tuple(sorted(group)),
            class_names={path: label for path, label in sorted(group.items()) if label},
            annotations=Path(root, table.name),
        )
        for split, group in groups.items()
    ]
    return parts, notes


def _cell(row: list[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""


def _column(table: Table, place: int | None) -> str:
    if place is None:
        return ""
    return table.header[place] if table.header else str(place + 1)
