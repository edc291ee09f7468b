"""The leaderboard as LaTeX tables for a paper (booktabs, siunitx)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from urllib.parse import quote

from simmim_bench.leaderboard.grid import NEAR, TOP, Entry, Grid, Note, Page, Section

SIGNS = {TOP: r"$\star$", NEAR: r"$\approx$"}
SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "±": r"$\pm$",
        "\N{MULTIPLICATION SIGN}": r"$\times$",
        "\N{MINUS SIGN}": r"$-$",
        "†": r"\dag{}",
        "‡": r"\ddag{}",
        "§": r"\S{}",
        "¶": r"\P{}",
        "◊": r"$\diamond$",
        **SIGNS,
    }
)
RAISED = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ]+)")
MINUS = "\N{MINUS SIGN}"
URL = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\w:/?=&.,;+#~@!*()%-]|[^\x00-\x7f]")
MARK = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|(.)\1*")
"""A mark among several: a number, or one character, repeated in long lists of notes."""
CAPTION = (
    "Bold: best of its backbone; ★: of all backbones; ≈: not significantly different from "
    "the best (Tukey's test, 5 %). Rows with the same deviations are compared; cited rows among "
    "themselves."
)
CAPTION_CITED = "Bold: best of its protocol."
HEAD = r"""% Made by `simmim-bench leaderboard build`. Needs, in the preamble (siunitx 3):
%   \usepackage{booktabs, graphicx, siunitx, url}
% and LuaLaTeX for names beyond Latin letters.
"""
SETUP = (
    r"\sisetup{separate-uncertainty, retain-zero-uncertainty, retain-explicit-plus, mode=text, "
    "reset-text-series=false, reset-text-shape=false, table-align-text-after=false}"
)
NARROWER = r"\resizebox{\ifdim\width>\textwidth \textwidth\else \width\fi}{!}{%"
"""Makes a table smaller if it is wider than the text."""
NUMBER = re.compile(r"([+\N{MINUS SIGN}-]?)(\d+)(\.\d+)?(?: ± (\d+)(\.\d+)?)?(?: \((\d+)\))?")
"""A value as tables show it: sign, digits, uncertainty, number of seeds."""


def render_latex(page: Page) -> str:
    r"""Render each table of results as a ``table*`` with numbers aligned by siunitx.

    It needs ``\usepackage{booktabs, graphicx, siunitx, url}``. Costs by stage are in
    the other renderings only. The same page always gives the same text.
    """
    tables = [
        _table(section, grid) for section in page.sections for grid in section.grids if grid.rows
    ]
    return HEAD + "\n" + "\n".join(tables)


def _table(section: Section, grid: Grid) -> str:
    grid, shared = _without_shared_texts(grid)
    columns = list(zip(grid.headers, *grid.rows, strict=True))
    kinds = [
        "l" if index in grid.text_columns else _number_column(cells[1:])
        for index, cells in enumerate(columns)
    ]
    title = section.heading if len(section.grids) == 1 else f"{section.heading}, {grid.title}"
    warning = f" {escape(section.warning)}." if section.warning else ""
    said = "".join(f" {escape(text)}." for text in shared)
    caption = CAPTION_CITED if section.is_cited else CAPTION
    used = _marks_in(grid)
    notes = [note for note in section.notes if not note.mark or note.mark in used]
    lines = [
        r"\begin{table*}",
        r"\centering",
        r"\small",
        SETUP,
        rf"\caption{{{escape(title)}.{warning}{said} {escape(caption)}}}",
        NARROWER,
        rf"\begin{{tabular}}{{{' '.join(kinds)}}}",
        r"\toprule",
        *_headers(grid),
        r"\midrule",
        *(_line(row, grid.text_columns) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        "",
        r"\smallskip",
        r"\begin{minipage}{\textwidth}\footnotesize\raggedright",
        *(rf"{_note(note)}\par" for note in notes),
        r"\end{minipage}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _without_shared_texts(grid: Grid) -> tuple[Grid, list[str]]:
    """The table without columns of text that say one thing, and what they say, for the caption.

    "none", of rows from scratch, counts as nothing: their method says it.
    """
    texts: dict[int, str] = {}
    for index in grid.text_columns - {0}:
        cells = {row[index] for row in grid.rows} - {Entry(), Entry("none")}
        if len(cells) == 1 and not (cell := cells.pop()).mark:
            texts[index] = f"{grid.headers[index].text.capitalize()}: {cell.text}"
    kept = [index for index in range(len(grid.headers)) if index not in texts]
    small = Grid(
        grid.title,
        [grid.headers[index] for index in kept],
        [[row[index] for index in kept] for row in grid.rows],
        frozenset(kept.index(index) for index in grid.text_columns - texts.keys()),
    )
    return small, list(texts.values())


def _marks_in(grid: Grid) -> set[str]:
    """Marks of notes that a table has."""
    return {
        found[0]
        for row in (grid.headers, *grid.rows)
        for entry in row
        for found in MARK.finditer(entry.mark)
    }


def _number_column(cells: Sequence[Entry]) -> str:
    """A column of siunitx with room for the widest sign, digits, uncertainty and marks."""
    found = [match for cell in cells if (match := NUMBER.fullmatch(cell.text))]
    if not found:
        return "r"
    sign = "+" if any(match[1] for match in found) else ""
    whole = max(len(match[2]) for match in found)
    decimals = max(len(match[3] or ".") - 1 for match in found)
    spread = max((len(f"{match[4]}{match[5] or '.'}") - 1 if match[4] else 0) for match in found)
    layout = f"{sign}{whole}.{decimals}" + (f"({spread})" if spread else "")
    after = _after(max(cells, key=lambda cell: len(_seeds(cell) + cell.signs)))
    room = f", table-space-text-post={{{after}}}" if after else ""
    return rf"S[table-format={layout}{room}]"


def _headers(grid: Grid) -> Iterator[str]:
    """Two lines of headers where some have a first line, with a rule below what it spans."""
    spans = [
        (above, [index for index, _ in members])
        for above, members in groupby(enumerate(grid.headers), key=lambda pair: pair[1].above)
    ]
    if any(above for above, _ in spans):
        cells = [rf"\multicolumn{{{len(at)}}}{{c}}{{{escape(above)}}}" for above, at in spans]
        yield " & ".join(cells) + r" \\"
        yield " ".join(
            rf"\cmidrule(lr){{{at[0] + 1}-{at[-1] + 1}}}" for above, at in spans if above
        )
    names = [
        f"{escape(header.text)}{escape(header.mark)}"
        if index in grid.text_columns
        else f"{{{escape(header.text)}{escape(header.mark)}}}"
        for index, header in enumerate(grid.headers)
    ]
    yield " & ".join(names) + r" \\"


def _line(entries: Sequence[Entry], text_columns: frozenset[int]) -> str:
    cells = (
        _text(entry) if index in text_columns else _value(entry)
        for index, entry in enumerate(entries)
    )
    return " & ".join(cells) + r" \\"


def _text(entry: Entry) -> str:
    text = escape(f"{entry.above} {entry.text}".strip())
    if text and entry.bold:
        text = rf"\textbf{{{text}}}"
    if text and entry.italic:
        text = rf"\emph{{{text}}}"
    return text + _signs(entry)


def _value(entry: Entry) -> str:
    """A number for a column of siunitx; anything else is kept from being read as one."""
    match = NUMBER.fullmatch(entry.text)
    if match is None:
        text = _text(entry)
        return f"{{{text}}}" if text else ""
    sign, whole, decimals, spread, spread_decimals, _ = match.groups()
    number = f"{sign.replace(MINUS, '-')}{whole}{decimals or ''}"
    if spread is not None:
        number += f" +- {spread}{spread_decimals or ''}"
    shape = (r"\bfseries " if entry.bold else "") + (r"\itshape " if entry.italic else "")
    after = _after(entry)
    return f"{shape}{number}" + (f" {{{after}}}" if after else "")


def _after(entry: Entry) -> str:
    """What stands behind a number: seeds, signs, marks."""
    return _seeds(entry) + _signs(entry)


def _seeds(entry: Entry) -> str:
    match = NUMBER.fullmatch(entry.text)
    return f" ({match[6]})" if match and match[6] else ""


def _signs(entry: Entry) -> str:
    signs = "".join(SIGNS[sign] for sign in (TOP, NEAR) if sign in entry.signs)
    return signs + escape(entry.mark)


def _note(note: Note) -> str:
    subject = f"{escape(note.term)}: " if note.term else ""
    source = rf" (\url{{{URL.sub(_percent, note.url)}}})" if note.url else ""
    return f"{escape(note.mark)} {subject}{escape(note.text)}{source}".strip()


def _percent(match: re.Match[str]) -> str:
    """Characters that LaTeX would take as its own, as a URL writes them."""
    return quote(match[0], safe="")


def escape(text: str) -> str:
    """Escape ``text`` for pdfLaTeX: no commands, no mathematics, one line."""
    line = "".join(char if char.isprintable() else " " for char in text)
    parts = RAISED.split(line)  # what is raised comes second, fourth, ...
    return "".join(
        rf"\textsuperscript{{{unicodedata.normalize('NFKC', part)}}}"
        if index % 2
        else part.translate(SPECIAL)
        for index, part in enumerate(parts)
    )
