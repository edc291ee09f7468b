"""What a leaderboard page says, as grids of plain text; Markdown and terminal render the same."""

from __future__ import annotations

from collections.abc import Iterable

from simmim_bench.results.aggregate import Cell, ColumnKey, Row, Table, aggregate, gains
from simmim_bench.results.costs import cost_grid
from simmim_bench.results.grid import (
    Entry,
    Grid,
    Note,
    Notes,
    Page,
    Section,
    name_entry,
    show,
    show_gain,
    show_minutes,
    show_size,
)
from simmim_bench.results.manifest import Kind, Pretraining
from simmim_bench.results.record import Record

TITLE = "Leaderboard"
LEGEND = (
    "Metrics in percent, as mean ± sample standard deviation (number of seeds); a single seed "
    "has no ±. Bold: best of its column. Blank: not measured. Gain over scratch: difference of "
    "the unrounded means, in points. Minutes are wall time, memory is the peak of one process."
)
HEADINGS: dict[Kind, str] = {"full": "Full runs", "smoke": "Smoke runs"}
WARNINGS: dict[Kind, str] = {"smoke": "smoke run: toy schedules, figures mean nothing"}
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "box_ap": "APᵇᵒˣ",
    "mask_ap": "APᵐᵃˢᵏ",
    "miou": "mIoU",
    "macc": "mAcc",
    "aacc": "aAcc",
}


def make_page(records: Iterable[Record]) -> Page:
    """Lay out the leaderboard of some records.

    Raises:
        BenchError: If the records contradict one another.
    """
    known = list(records)
    sections = [_section(table) for table in aggregate(known)]
    return Page(TITLE, LEGEND, sections, len(known))


def _section(table: Table) -> Section:
    notes = Notes(table.columns)
    grids = [grid for grid in (_results(table, notes), cost_grid(table, notes)) if grid.rows]
    listed = list(notes.listed())
    if table.superseded:
        text = (
            f"{table.superseded} older records are left out: an earlier configuration, or an "
            f"earlier run with the same seed"
        )
        listed.append(Note("", text))
    return Section(HEADINGS[table.kind], WARNINGS.get(table.kind), grids, listed)


def _results(table: Table, notes: Notes) -> Grid:
    metrics = [(key, name) for key, protocol in table.columns.items() for name in protocol.metrics]
    headers = [Entry("method"), Entry("backbone"), Entry("pretraining")]
    headers += [
        Entry(METRICS.get(name, name), mark=notes.number(key), above=table.columns[key].task)
        for key, name in metrics
    ]
    headers += [Entry("(min)", above="pretrain"), Entry("(min)", above="fine-tune")]
    best = {} if table.kind == "smoke" else {pair: _best(table, *pair) for pair in metrics}
    rows = []
    for row in table.rows:
        entries = [name_entry(row, notes), Entry(row.backbone), _pretraining(row, notes)]
        entries += [_metric(row, key, name, best.get((key, name)), notes) for key, name in metrics]
        rows.append([*entries, *_minutes(row, table)])
        gained = {} if table.kind == "smoke" else gains(row, table.rows)
        if gained:
            rows.append(_gain_row(gained, metrics, len(headers)))
    return Grid("Results", headers, rows, frozenset({0, 1, 2}))


def _metric(
    row: Row, key: ColumnKey, name: str, best: dict[tuple[str, ...], str] | None, notes: Notes
) -> Entry:
    cell = row.cells.get(key)
    if cell is None or name not in cell.metrics:
        return Entry()
    stat = cell.metrics[name]
    bold = (best or {}).get(cell.deviations) == f"{stat.mean:.1f}"
    text = show(stat, cited=row.provenance.kind != "measured")
    return Entry(text, bold=bold, mark=_deviation_mark(cell, notes))


def _best(table: Table, key: ColumnKey, name: str) -> dict[tuple[str, ...], str]:
    """Best mean as shown, by deviations: a changed protocol competes with its like alone."""
    rivals: dict[tuple[str, ...], list[float]] = {}
    for row in table.rows:
        cell = row.cells.get(key)
        if cell and name in cell.metrics:
            rivals.setdefault(cell.deviations, []).append(cell.metrics[name].mean)
    return {which: f"{max(means):.1f}" for which, means in rivals.items() if len(means) > 1}


def _gain_row(
    gained: dict[ColumnKey, dict[str, float]], metrics: list[tuple[ColumnKey, str]], width: int
) -> list[Entry]:
    entries = [Entry("gain over scratch", italic=True), Entry(), Entry()]
    for key, name in metrics:
        points = gained.get(key, {}).get(name)
        entries.append(Entry() if points is None else Entry(show_gain(points), italic=True))
    return entries + [Entry()] * (width - len(entries))


def _minutes(row: Row, table: Table) -> list[Entry]:
    """Minutes of pretraining and of all fine-tunings; blank if one of these is not known."""
    pretrain = Entry(show_minutes(row.pretraining_cost.minutes) if row.pretraining_cost else "")
    costs = [row.cells[key].cost if key in row.cells else None for key in table.columns]
    known = [cost.minutes for cost in costs if cost is not None]
    return [pretrain, Entry(show_minutes(sum(known)) if len(known) == len(costs) else "")]


def _deviation_mark(cell: Cell, notes: Notes) -> str:
    if not cell.deviations:
        return ""
    return notes.symbol(f"deviates from the protocol: {'; '.join(cell.deviations)}")


def _pretraining(row: Row, notes: Notes) -> Entry:
    mark = ""
    if row.pretraining_deviations:
        text = f"pretraining deviates from its config: {'; '.join(row.pretraining_deviations)}"
        mark = notes.symbol(text)
    return Entry(_origin(row.pretraining), mark=mark)


def _origin(pretraining: Pretraining | None) -> str:
    if pretraining is None:
        return "none"
    parts = [pretraining.dataset]
    if pretraining.epochs is not None:
        parts.append(f"{pretraining.epochs:g} ep")
    if pretraining.image_size is not None:
        parts.append(show_size(pretraining.image_size))
    return ", ".join(parts)
