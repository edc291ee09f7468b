"""The command ``simmim-bench data inspect``."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from simmim_bench.data.expected import Expected
from simmim_bench.data.inspect.against import compare
from simmim_bench.data.inspect.expected import expected, usual_name
from simmim_bench.data.inspect.look import look
from simmim_bench.data.inspect.recognise import recognise
from simmim_bench.data.inspect.report import print_report
from simmim_bench.data.inspect.sheet import write_sheet
from simmim_bench.data.layouts import data_root
from simmim_bench.data.own import CARD

SHEET = "contact_sheet.png"


def inspect(
    path: Path, *, layout: str | None, against: Path | None, out: Path | None, console: Console
) -> tuple[Expected, Path]:
    """Report what ``path`` holds; returns what an import will give, and the contact sheet.

    Args:
        path: Folder or file.
        layout: Kind of layout; None: find out.
        against: Other data in which near-duplicates are looked for; None: in none.
        out: Folder for the contact sheet; None: below ``work_dirs/inspect``.
        console: Where to write.

    Raises:
        BenchError: If there is nothing that could be data.
    """
    path = place_of(path)
    found, other = recognise(path, layout), recognise(place_of(against)) if against else None
    seen, samples = look(found)
    print_report(seen, console)
    out = out or Path("work_dirs", "inspect", usual_name(path))
    out.mkdir(parents=True, exist_ok=True)
    write_sheet(found, samples, out / SHEET, first=seen.labels.first if seen.labels else 0)
    if other:
        compare(found, other, out, console)
    return expected(seen, path), out / SHEET


def place_of(given: Path) -> Path:
    """A path; or the folder of own data below the data root if a name is given."""
    below = data_root() / given
    is_own = not given.exists() and len(given.parts) == 1 and (below / CARD).is_file()
    return below if is_own else given
