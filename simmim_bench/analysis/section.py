"""A section of the page, with the file that holds its figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.io import atomic_write_text


@dataclass(frozen=True)
class Picture:
    """An embedded picture: address that holds it, what it shows, words below it."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Section:
    """What one question of an analysis was answered by.

    Args:
        heading: Of the section.
        text: What the charts show and how to read them; one paragraph each.
        charts: Caption and inline SVG.
        pictures: Embedded pictures.
        rows: Figures, header first, as they are written beside the page; the page shows none.
        file: Name of that CSV file; empty without rows.
    """

    heading: str
    text: tuple[str, ...]
    charts: tuple[tuple[str, str], ...] = ()
    pictures: tuple[Picture, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    file: str = ""


def write_rows(section: Section, folder: Path) -> None:
    """Write the figures of a section as CSV, if it has any."""
    if section.file:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(section.rows)
        atomic_write_text(folder / section.file, text.getvalue())
