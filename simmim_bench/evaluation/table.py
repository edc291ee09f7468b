"""The results of an evaluation in one short table: weights down, tasks across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table as Grid
from rich.text import Text

from simmim_bench.leaderboard.aggregate import Cell, Table, aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.metrics import METRICS
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.store import read_records


def result_table(records: Path, tasks: Mapping[str, str]) -> Grid:
    """Primary metric of each task, in percent; the best of a column is bold.

    Args:
        records: Folder of the records.
        tasks: Name of each task by the id of its protocol, in the order of columns.
    """
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("weights", overflow="fold")
    grid.add_column("backbone", overflow="fold")
    table = aggregate(read_records(records))[0]
    order = list(tasks)
    keys = sorted(
        (key for key in table.columns if key.id in tasks), key=lambda key: order.index(key.id)
    )
    alike = [tasks[key.id] for key in keys]
    for key in keys:
        protocol = table.columns[key]
        name = tasks[key.id]
        data = f"\n{protocol.dataset}" if alike.count(name) > 1 else ""
        metric = METRICS.get(protocol.primary, protocol.primary)
        grid.add_column(f"{name}{data}\n{metric}", justify="right")
    best = {key: max(_values(table, key, table.columns[key]), default=0.0) for key in keys}
    for row in sorted(table.rows, key=lambda row: _order(row.cells, keys), reverse=True):
        shown = [_entry(row.cells.get(key), table.columns[key], best[key]) for key in keys]
        if any(shown):
            grid.add_row(row.method, row.backbone, *shown)
    return grid


def _values(table: Table, key: ColumnKey, protocol: Protocol) -> list[float]:
    cells = [row.cells[key] for row in table.rows if key in row.cells]
    return [cell.metrics[protocol.primary].mean for cell in cells]


def _order(cells: Mapping[ColumnKey, Cell], keys: Sequence[ColumnKey]) -> list[float]:
    return [next(iter(cells[key].metrics.values())).mean if key in cells else -1.0 for key in keys]


def _entry(cell: Cell | None, protocol: Protocol, best: float) -> Text:
    if cell is None:
        return Text("")
    stat = cell.metrics[protocol.primary]
    text = f"{stat.mean:.1f}" + ("" if stat.sd is None else f" ± {stat.sd:.1f}")
    return Text(text, "bold" if stat.mean == best else "")
