"""The leaderboard as GitHub-flavoured Markdown, on a page of its own and in a README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.grid import Entry, Grid, Note, Page, Section

MARKUP = re.compile(r"([\\*\[\]~$])")
OUTER_UNDERSCORES = re.compile(r"(?<!\w)_+|_+(?!\w)")  # those inside a word are not markup
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;"})
BEGIN = "<!-- results: written by `make leaderboard` -->"
END = "<!-- end of results -->"


def render_markdown(page: Page) -> str:
    """Render a leaderboard; the same page always gives the same text."""
    blocks = [f"# {escape(page.title)}", escape(page.legend)]
    for section in page.sections:
        blocks += _section(section)
    blocks.append(
        f"Made from {page.count} records under `../records` by `simmim-bench leaderboard build`; "
        f"changes by hand are lost."
    )
    return "\n\n".join(blocks) + "\n"


@lru_cache(maxsize=4096)  # many rows have the same texts
def escape(text: str) -> str:
    """Escape ``text``: no HTML, no markup, no table separator, no line break."""
    line = "".join(char if char.isprintable() else " " for char in text)
    quoted = MARKUP.sub(r"\\\1", " ".join(line.split()))
    quoted = OUTER_UNDERSCORES.sub(lambda run: r"\_" * len(run[0]), quoted)
    return quoted.translate(ENTITIES)


def render_results(section: Section) -> str:
    """The results of a section and their notes; several tables have titles."""
    tables = [render_grid(grid) for grid in section.grids]
    if len(tables) > 1:
        titles = [f"### {escape(grid.title)}" for grid in section.grids]
        tables = [f"{title}\n\n{table}" for title, table in zip(titles, tables, strict=True)]
    return "\n\n".join([*tables, "\n".join(_note(note) for note in section.notes)])


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape(section.heading)}"
    if section.warning:
        yield f"> **{escape(section.warning)}**"
    yield render_results(section)
    for grid in section.costs:
        yield f"### {escape(grid.title)}"
        yield render_grid(grid)


def render_grid(grid: Grid) -> str:
    """A table with padded columns, so that the source is readable, too."""
    cells = [[_entry(entry) for entry in row] for row in [grid.headers, *grid.rows]]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(row, widths, grid.text_columns) for row in cells]
    rule = [
        "-" * width if index in grid.text_columns else "-" * (width - 1) + ":"
        for index, width in enumerate(widths)
    ]
    return "\n".join([lines[0], _line(rule, widths, grid.text_columns), *lines[1:]])


def _line(row: list[str], widths: list[int], text_columns: frozenset[int]) -> str:
    padded = [
        text.ljust(width) if index in text_columns else text.rjust(width)
        for index, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _entry(entry: Entry) -> str:
    text = escape(f"{entry.above} {entry.text}")
    if text and entry.bold:
        text = f"**{text}**"
    if text and entry.italic:
        text = f"*{text}*"
    return f"{text} {entry.signs}" if entry.signs else text


def _note(note: Note) -> str:
    subject = f"**{escape(note.term)}**: " if note.term else ""
    text = f"[{escape(note.text)}]({note.url})" if note.url else escape(note.text)
    return f"- {note.mark} {subject}{text}" if note.mark else f"- {subject}{text}"


def insert_results(readme: Path, page: Page) -> None:
    """Replace the text between the two comments by the first section of ``page``, without costs.

    Raises:
        BenchError: If there is no such file, or it lacks one of the comments.
    """
    if not readme.is_file():
        raise BenchError(f"{readme} is not a file; give one with the lines {BEGIN!r} and {END!r}")
    text = readme.read_text("utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BenchError(
            f"{readme} lacks the line {BEGIN!r} or {END!r}; the table goes between them"
        )
    section = page.sections[0]
    table = render_results(section)
    if section.warning:
        table = f"> **{escape(section.warning)}**\n\n{table}"
    atomic_write_text(readme, f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}")
