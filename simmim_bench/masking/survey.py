"""Measure and draw maskings: a table, a plot and a contact sheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.masking.distance import Cell, grid_of_cells, measure
from simmim_bench.visualization.masks import draw_distances, draw_sheet

FIELDS = ("strategy", "mask_patch_size", "mask_ratio", "avg_dist")


def survey(
    *,
    strategies: Sequence[str],
    mask_patch_sizes: Sequence[int],
    mask_ratios: Sequence[float],
    image_size: int,
    count: int,
    seed: int,
    out: Path,
    console: Console,
) -> None:
    """Write ``avg_dist.csv``, ``avg_dist.png`` and ``masks.png`` into ``out``; print the table.

    Raises:
        BenchError: If a masking cannot be drawn at this image size.
    """
    size = (image_size, image_size)
    cells = grid_of_cells(strategies, mask_patch_sizes, mask_ratios)
    try:
        for cell in cells:
            cell.build().patch_grid(size)
        steps = measure(cells, size, count=count, seed=seed)
        shown = track(
            steps, "measuring", total=len(cells), console=console, disable=not console.is_terminal
        )
        distances = dict(shown)
    except ValueError as error:
        raise BenchError(str(error)) from error
    _write_csv(distances, out / "avg_dist.csv")
    draw_distances(distances, out / "avg_dist.png")
    draw_sheet(cells, size, out / "masks.png", seed=seed)
    console.print(_table(distances, mask_ratios, count))
    console.print(f"written: avg_dist.csv, avg_dist.png, masks.png in {out}", soft_wrap=True)


def _write_csv(distances: dict[Cell, float | None], path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for cell, value in distances.items():
        shown = "" if value is None else f"{value:.4f}"
        writer.writerow((cell.strategy, cell.mask_patch_size, cell.mask_ratio, shown))
    atomic_write_text(path, text.getvalue())


def _table(distances: dict[Cell, float | None], ratios: Sequence[float], count: int) -> Table:
    title = f"AvgDist in pixels, mean of {count} masks; blank: everything is masked"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("patch", justify="right", no_wrap=True)
    for ratio in ratios:
        table.add_column(f"{ratio:g}", justify="right")
    for strategy, size in dict.fromkeys((c.strategy, c.mask_patch_size) for c in distances):
        values = [distances[Cell(strategy, size, ratio)] for ratio in ratios]
        shown = ["" if value is None else f"{value:.1f}" for value in values]
        table.add_row(strategy, str(size), *shown)
    return table
