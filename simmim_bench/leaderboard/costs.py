"""Costs by stage: time, energy, parameters, FLOPs, throughput and memory.

To add a column, add it to ``COLUMNS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from simmim_bench.leaderboard.aggregate import MeanCost, Row, Table
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.grid import Entry, Grid, Notes, name_entry, show_minutes


@dataclass(frozen=True)
class _Column:
    """Header in two parts and how to show a cost; a column without any value is left out."""

    above: str
    unit: str
    show: Callable[[MeanCost], str]


def cost_grid(table: Table, notes: Notes) -> Grid:
    """One row for each stage whose cost is known; a device that all share is in the title."""
    costs = [
        (row, stage, key, cost) for row in table.rows for stage, key, cost in _stages(row, table)
    ]
    devices = sorted({cost.device for *_, cost in costs})
    shared = len(devices) == 1
    columns = [column for column in COLUMNS if any(column.show(cost) for *_, cost in costs)]
    headers = [Entry("method"), Entry("backbone"), Entry("stage")]
    headers += [Entry(column.unit, above=column.above) for column in columns]
    rows = []
    for row, stage, key, cost in costs:
        mark = notes.number(key) if key else ""
        who = [name_entry(row, notes), Entry(row.backbone), Entry(stage, mark=mark)]
        values = [Entry(column.show(cost)) for column in columns]
        rows.append([*who, *values, *([] if shared else [Entry(cost.device)])])
    title = "Cost, mean over seeds"
    if shared:
        return Grid(f"{title}, on {devices[0]}", headers, rows, frozenset({0, 1, 2}))
    return Grid(title, [*headers, Entry("device")], rows, frozenset({0, 1, 2, len(headers)}))


@lru_cache(maxsize=64)  # a pretraining is described with each of its tasks
def describe_cost(cost: MeanCost) -> str:
    """The known parts of a cost in one line: ``time 10.2 min, memory 1983 MiB``."""
    shown = ((column, column.show(cost)) for column in COLUMNS)
    return ", ".join(
        f"{column.above} {value} {column.unit.strip('()')}".strip()
        for column, value in shown
        if value
    )


def _stages(row: Row, table: Table) -> Iterator[tuple[str, ColumnKey | None, MeanCost]]:
    """Stages of a row whose cost is known, each as name, protocol and cost."""
    if row.pretraining_cost:
        yield "pretraining", None, row.pretraining_cost
    for key, protocol in table.columns.items():
        cell = row.cells.get(key)
        if cell and cell.cost:
            yield protocol.task, key, cell.cost


def _shown(value: float | None, scale: float, digits: int) -> str:
    return "" if value is None else f"{value / scale:.{digits}f}"


def _rate(value: float | None) -> str:
    return _shown(value, 1, 0 if value is not None and value >= 10 else 1)


PARAMETERS = _Column("params", "(M)", lambda cost: _shown(cost.parameters, 1e6, 1))
MEMORY = _Column("memory", "(MiB)", lambda cost: _shown(cost.peak_memory_mb, 1, 0))
COLUMNS = (
    _Column("time", "(min)", lambda cost: show_minutes(cost.minutes)),
    _Column("GPU", "(h)", lambda cost: _shown(cost.gpu_hours, 1, 2)),
    _Column("energy", "(Wh)", lambda cost: _shown(cost.energy_wh, 1, 1)),
    PARAMETERS,
    _Column("forward", "(GFLOPs)", lambda cost: _shown(cost.flops, 1e9, 2)),
    _Column("", "images/s", lambda cost: _rate(cost.images_per_second)),
    MEMORY,
)
