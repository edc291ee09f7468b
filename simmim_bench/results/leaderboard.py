"""Build a leaderboard: manifests to records to a page on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.results.collect import Collected, collect
from simmim_bench.results.grid import Page
from simmim_bench.results.markdown import render_markdown
from simmim_bench.results.page import make_page
from simmim_bench.results.store import read_records


@dataclass(frozen=True)
class Built:
    """A leaderboard that was written."""

    page: Page
    collected: Collected
    records: Path
    markdown: Path

    def summary(self) -> str:
        """What was collected and where it was written, in a few lines."""
        found = self.collected.records
        lines = [
            f"records:     {self.records} ({len(found['added'])} new, {len(found['present'])} "
            f"unchanged)",
            f"leaderboard: {self.markdown}",
        ]
        lines += [
            f"note: {path} repeats a recorded run with the same metrics; the first record is kept"
            for path in found["repeated"]
        ]
        lines += [f"note: {path} says its run failed; left out" for path in self.collected.skipped]
        return "\n".join(lines)


def build(work_dir: Path, out: Path | None = None) -> Built:
    """Collect the manifests of a suite and write records and Markdown.

    Args:
        work_dir: Work dir of a suite.
        out: Folder for ``records/`` and ``leaderboard/``; ``work_dir/results`` by default.

    Raises:
        BenchError: If the work dir holds nothing to collect, or something that is not valid.
    """
    if not work_dir.is_dir():
        raise BenchError(
            f"work dir {work_dir} does not exist; run `python tools/run_suite.py SUITE.yaml` first"
        )
    out = out or work_dir / "results"
    records, markdown = out / "records", out / "leaderboard" / "README.md"
    collected = collect(work_dir, records)
    page = make_page(read_records(records))
    atomic_write_text(markdown, render_markdown(page))
    return Built(page, collected, records, markdown)
