"""Put the results of a leaderboard into a README, between two comments."""

from __future__ import annotations

from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.results.grid import Page
from simmim_bench.results.markdown import render_results

BEGIN = "<!-- results: written by `make leaderboard` -->"
END = "<!-- end of results -->"


def insert_results(readme: Path, page: Page) -> None:
    """Replace what stands between the comments by the first table of ``page`` and its notes.

    Raises:
        BenchError: If there is no such file, or it lacks one of the comments.
    """
    if not readme.is_file():
        raise BenchError(
            f"{readme} is no file; name one with the lines {BEGIN!r} and {END!r}, between which "
            f"the table goes"
        )
    text = readme.read_text("utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{readme} has no lines {BEGIN!r} and {END!r}, which hold the table")
    table = render_results(page.sections[0])
    atomic_write_text(readme, f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}")
