"""The leaderboard as LaTeX tables for a paper (booktabs)."""

from __future__ import annotations

from simmim_bench.leaderboard.grid import NEAR, TOP, Entry, Note, Page, Section

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
RAISED = {"ᵇᵒˣ": r"\textsuperscript{box}", "ᵐᵃˢᵏ": r"\textsuperscript{mask}"}
DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
CAPTION = (
    "Bold: best of its backbone; ★: of all backbones; ≈: not told apart from the best (Tukey's "
    "test, 5 %). Rows with the same deviations are compared; cited rows among themselves."
)


def render_latex(page: Page) -> str:
    r"""Render the results of every section as a ``table*``; needs ``\usepackage{booktabs}``.

    Costs are in the other renderings only. The same page always gives the same text.
    """
    head = (
        "% Made by `simmim-bench leaderboard build`; needs \\usepackage{booktabs}, and LuaLaTeX\n"
        "% for names beyond Latin letters.\n"
    )
    return head + "\n".join(_table(section) for section in page.sections)


def _table(section: Section) -> str:
    results = section.grids[0]
    columns = "".join(
        "l" if index in results.text_columns else "r" for index in range(len(results.headers))
    )
    warning = f" {escape(section.warning)}." if section.warning else ""
    notes = " ".join(f"{_note(note)}." for note in section.notes)
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line(results.headers),
        r"\midrule",
        *(_line(row) for row in results.rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{escape(section.heading)}.{warning} {escape(CAPTION)} {notes}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _line(entries: list[Entry]) -> str:
    return " & ".join(_entry(entry) for entry in entries) + r" \\"


def _entry(entry: Entry) -> str:
    text = escape(f"{entry.above} {entry.text}".strip())
    if text and entry.bold:
        text = rf"\textbf{{{text}}}"
    if text and entry.italic:
        text = rf"\emph{{{text}}}"
    return (
        text
        + "".join(SIGNS[sign] for sign in (TOP, NEAR) if sign in entry.signs)
        + _mark(entry.mark)
    )


def _mark(mark: str) -> str:
    """A number as superscript; symbols unchanged."""
    digits = mark.translate(DIGITS)
    return rf"\textsuperscript{{{digits}}}" if digits.isdigit() else escape(mark)


def _note(note: Note) -> str:
    subject = f"{escape(note.term)}: " if note.term else ""
    source = rf" (\texttt{{{escape(note.url)}}})" if note.url else ""
    return f"{_mark(note.mark)} {subject}{escape(note.text)}{source}".strip()


def escape(text: str) -> str:
    """Escape ``text`` for pdfLaTeX: no commands, no mathematics, one line."""
    line = "".join(char if char.isprintable() else " " for char in text)
    for raised in RAISED:
        line = line.replace(raised, f"\0{raised}")
    parts = line.split("\0")
    return "".join([parts[0].translate(SPECIAL), *(_raised(part) for part in parts[1:])])


def _raised(part: str) -> str:
    raised = next(raised for raised in RAISED if part.startswith(raised))
    return RAISED[raised] + part.removeprefix(raised).translate(SPECIAL)
