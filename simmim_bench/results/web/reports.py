"""Reports of many runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar
from simmim_bench.results.web.run_report import is_current, runs_below, write_run_report


def write_reports(folders: Iterable[Path]) -> list[Path]:
    """Write the report of every training in some folders or below them.

    Raises:
        BenchError: If a folder does not exist or holds no finished training.
    """
    runs: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise BenchError(f"{folder} does not exist; give the work dir of a run or of a suite")
        found = runs_below(folder)
        if not found:
            raise BenchError(
                f"{folder} holds no manifest.json of a training; a run writes it when it ends"
            )
        runs += found
    with progress_bar("reports", len(runs)) as advance:
        pages = []
        for run in runs:
            pages.append(write_run_report(run))
            advance(1)
    return pages


def renew_reports(work_dir: Path) -> None:
    """Write the reports below ``work_dir`` that are missing or older than their run."""
    for run in runs_below(work_dir):
        if not is_current(run):
            write_run_report(run)
