"""What an ablation suite found, as pictures, one CSV and a table to read at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.aggregate import Stat
from simmim_bench.leaderboard.page import METRICS
from simmim_bench.suite.ablation import Ablation, read_ablation
from simmim_bench.suite.load import load_suite
from simmim_bench.visualization.ablation import draw_ablation, spelled

FIELDS = ("task", "backbone", "metric", "entry", "values", "mean", "sd", "seeds")


def report_ablation(suite_file: Path, *, root: Path, work_dir: Path | None, out: Path | None,
                    console: Console) -> None:  # fmt: skip
    """Write ``ablation_<task>_<backbone>.png`` and ``ablation.csv``; print the figures.

    Args:
        suite_file: Suite with axes.
        root: Project's root.
        work_dir: Suite's folder; None for ``work_dirs/<name>`` below the root.
        out: Folder to write into; None for ``results`` in the suite's folder.
        console: Where the table is printed.

    Raises:
        BenchError: If the suite file is wrong, has no axes, or has no records yet.
    """
    suite = load_suite(suite_file, root=root)
    folder = work_dir or root / "work_dirs" / suite.name
    target = out or folder / "results"
    ablations = read_ablation(suite, folder)
    for ablation in ablations:
        name = METRICS.get(ablation.metric, ablation.metric)
        path = target / f"ablation_{ablation.task}_{ablation.backbone}.png"
        draw_ablation(ablation, name, path)
        console.print(_table(ablation, name))
        console.print(f"written: {path}", soft_wrap=True)
    atomic_write_text(target / "ablation.csv", _csv(ablations))


def _rows(ablation: Ablation) -> Iterator[tuple[str, str, Stat]]:
    """Entry, its values and what it reached; methods without axes first."""
    for method, stat in ablation.references.items():
        yield method, "", stat
    for block in ablation.blocks:
        for place, stat in block.cells.items():
            yield block.entry, ", ".join(place), stat


def _table(ablation: Ablation, name: str) -> Table:
    table = Table("entry", "values", title=f"{ablation.task} of {ablation.backbone}", box=SIMPLE)
    table.add_column(f"{name} (seeds)", justify="right")
    for entry, values, stat in _rows(ablation):
        table.add_row(entry, values, f"{spelled(stat)} ({stat.n})")
    return table


def _csv(ablations: list[Ablation]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for found in ablations:
        for entry, values, stat in _rows(found):
            what = (found.task, found.backbone, found.metric, entry, values)
            writer.writerow([*what, stat.mean, stat.sd, stat.n])
    return text.getvalue()
