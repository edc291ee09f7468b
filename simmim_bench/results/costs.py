"""What the runs took: parameters, time, throughput and memory by stage."""

from __future__ import annotations

from collections.abc import Iterator

from simmim_bench.results.aggregate import ColumnKey, MeanCost, Row, Table
from simmim_bench.results.grid import Entry, Grid, Notes, name_entry, show_minutes


def cost_grid(table: Table, notes: Notes) -> Grid:
    """One line for each stage whose cost is known; one device for all is said in the title."""
    headers = [Entry("method"), Entry("backbone"), Entry("stage"), Entry("(min)", above="time"),
               Entry("(M)", above="params"), Entry("images/s"),
               Entry("(MiB)", above="memory")]  # fmt: skip
    costs = [
        (row, stage, key, cost) for row in table.rows for stage, key, cost in _stages(row, table)
    ]
    devices = sorted({cost.device for *_, cost in costs})
    shared = len(devices) == 1
    rows = []
    for row, stage, key, cost in costs:
        mark = notes.number(key) if key else ""
        who = [name_entry(row, notes), Entry(row.backbone), Entry(stage, mark=mark)]
        rows.append([*who, *_cost(cost), *([] if shared else [Entry(cost.device)])])
    title = "Cost, mean over seeds"
    if shared:
        return Grid(f"{title}, on {devices[0]}", headers, rows, frozenset({0, 1, 2}))
    return Grid(title, [*headers, Entry("device")], rows, frozenset({0, 1, 2, 7}))


def _stages(row: Row, table: Table) -> Iterator[tuple[str, ColumnKey | None, MeanCost]]:
    """Stages of a row whose cost is known: name, protocol, cost."""
    if row.pretraining_cost:
        yield "pretraining", None, row.pretraining_cost
    for key, protocol in table.columns.items():
        cell = row.cells.get(key)
        if cell and cell.cost:
            yield protocol.task, key, cell.cost


def _cost(cost: MeanCost) -> list[Entry]:
    rate, parameters = cost.images_per_second, cost.parameters
    return [
        Entry(show_minutes(cost.minutes)),
        Entry("" if parameters is None else f"{parameters / 1e6:.1f}"),
        Entry("" if rate is None else f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"),
        Entry(f"{cost.peak_memory_mb:.0f}"),
    ]
