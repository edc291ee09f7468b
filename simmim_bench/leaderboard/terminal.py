"""The leaderboard as plain tables for a terminal or a log."""

from __future__ import annotations

import sys
import textwrap
from bisect import bisect
from dataclasses import replace
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simmim_bench.leaderboard.grid import Entry, Grid, Note, Page

UNLIMITED = 10_000  # characters; a file or a pipe has no edge
MAX_ROWS = 100
"""A table shows at most this many rows."""
WRAP = 20  # characters; no number is wider
MORE = "... and {} more rows, see the files of `simmim-bench leaderboard build` and `export`"


def print_page(page: Page, *, stream: TextIO | None = None, width: int | None = None) -> None:
    """Print a leaderboard; a table that is too wide is transposed, never cut.

    Args:
        page: What to print.
        stream: Output, standard output by default.
        width: Characters in a line; by default those of the terminal, unlimited for a file.
    """
    stream = stream or sys.stdout
    if width is None and not stream.isatty():
        width = UNLIMITED
    console = Console(file=stream, highlight=False, width=width)
    for section in page.sections:
        console.print(_plain(f"{page.title}: {section.heading.lower()}", "bold"))
        if section.warning:
            console.print(_plain(section.warning, "bold red"))
        for grid in [*section.grids, *section.costs]:
            console.print()
            console.print(_plain(grid.title))
            for table in _fitting(replace(grid, rows=grid.rows[:MAX_ROWS]), console):
                console.print(table)
            if len(grid.rows) > MAX_ROWS:
                console.print(_plain(MORE.format(len(grid.rows) - MAX_ROWS)))
        console.print()
        for note in section.notes:
            console.print(_note(note))
        console.print()
    console.print(_plain(page.legend, "dim"))


def _fitting(grid: Grid, console: Console) -> list[Table]:
    """The grid as it is, else with its text wrapped, else transposed into one or more tables."""
    for wrap in (UNLIMITED, WRAP):
        upright = _upright(grid, wrap)
        if _fits(upright, console):
            return [upright]
    sizes = range(2, len(grid.rows) + 1)
    too_many = bisect(
        sizes,
        False,
        key=lambda size: not all(_fits(t, console) for t in _transposed_parts(grid, size)),
    )
    return _transposed_parts(grid, 1 + too_many)


def _transposed_parts(grid: Grid, size: int) -> list[Table]:
    """Transposed tables of at most ``size`` rows of the grid each."""
    starts = range(0, len(grid.rows), size)
    return [_transposed(grid, grid.rows[start : start + size]) for start in starts]


def _fits(table: Table, console: Console) -> bool:
    unlimited = console.options.update(width=UNLIMITED)
    return console.measure(table, options=unlimited).maximum <= console.width


def _upright(grid: Grid, wrap: int) -> Table:
    table = _empty_table()
    for index, header in enumerate(grid.headers):
        title = Text("\n").join([_plain(header.above), _entry(header)])
        table.add_column(title, justify="left" if index in grid.text_columns else "right")
    for row in grid.rows:
        table.add_row(*(_entry(entry, wrap) for entry in row))
    return table


def _transposed(grid: Grid, rows: list[list[Entry]]) -> Table:
    """A line for each header, a column for each of ``rows``."""
    lines = [
        [
            _plain(f"{header.above} ".lstrip()).append_text(_entry(header)),
            *(_entry(entry, WRAP) for entry in entries),
        ]
        for header, *entries in zip(grid.headers, *rows, strict=True)
    ]
    table = _empty_table()
    for index, title in enumerate(lines[0]):
        table.add_column(title, justify="right" if index else "left")
    for line in lines[1:]:
        table.add_row(*line)
    return table


def _empty_table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def _entry(entry: Entry, wrap: int = UNLIMITED) -> Text:
    style = "bold" if entry.bold else "italic" if entry.italic else ""
    text = f"{entry.text} {entry.signs}" if entry.signs else entry.text
    return Text("\n").join(_plain(line, style) for line in textwrap.wrap(text, wrap))


def _note(note: Note) -> Text:
    words = (note.mark, f"{note.term}:" if note.term else "", note.text, note.url or "")
    return _plain(" ".join(filter(None, words)))


def _plain(text: str, style: str = "") -> Text:
    """Text without markup or control characters, which could move the cursor."""
    return Text("".join(char if char.isprintable() else " " for char in text), style)
