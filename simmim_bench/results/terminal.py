"""The leaderboard as plain tables for a terminal or a log."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simmim_bench.results.page import Entry, Grid, Page

UNLIMITED = 10_000  # columns; a file or a pipe has no edge to wrap at


def print_page(page: Page, *, stream: TextIO | None = None) -> None:
    """Print a leaderboard; wide tables wrap in a terminal and never in a file.

    Args:
        page: What to print.
        stream: Where to, standard output by default.
    """
    stream = stream or sys.stdout
    console = Console(
        file=stream, highlight=False, width=None if stream.isatty() else UNLIMITED, soft_wrap=False
    )
    for section in page.sections:
        console.print(_plain(f"{page.title}: {section.heading.lower()}", "bold"))
        if section.warning:
            console.print(_plain(section.warning, "bold red"))
        for grid in section.grids:
            console.print(_table(grid))
        for note in section.notes:
            words = (note.mark, f"{note.term}:" if note.term else "", note.text, note.url or "")
            console.print(_plain(" ".join(filter(None, words))))
        console.print()
    console.print(_plain(page.legend, "dim"))


def _table(grid: Grid) -> Table:
    table = Table(title=grid.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(grid.headers):
        table.add_column(_entry(header), justify="left" if index in grid.words else "right")
    for row in grid.rows:
        table.add_row(*map(_entry, row))
    return table


def _entry(entry: Entry) -> Text:
    style = "bold" if entry.bold else "italic" if entry.italic else ""
    return _plain(f"{entry.text} {entry.mark}" if entry.mark else entry.text, style)


def _plain(text: str, style: str = "") -> Text:
    """Text without markup or control characters, which could move the cursor."""
    return Text("".join(char if char.isprintable() else " " for char in text), style)
