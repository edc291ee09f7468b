"""What a leaderboard page says, as grids of plain text; Markdown and terminal render the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from simmim_bench.leaderboard.aggregate import (
    TASKS,
    TIMES,
    Cell,
    ColumnKey,
    Row,
    Table,
    aggregate,
    column_key,
    gains,
)
from simmim_bench.leaderboard.costs import cost_grid
from simmim_bench.leaderboard.grid import (
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
from simmim_bench.leaderboard.statistics import Standing, mean_rank_of, standing
from simmim_bench.records.manifest import Kind, Pretraining
from simmim_bench.records.record import Record

TITLE = "Leaderboard"
LEGEND = (
    "Metrics in percent where no unit is given, as mean ± sample standard deviation (number of "
    "seeds); a single seed has no ±. Bold: best of its column among rows with the same "
    "deviations, where there are two or more, with all that differ from it by no more than noise "
    "between seeds (Welch's t-test, Holm's correction, 5 %); measured and cited rows each for "
    "themselves. Blank: not measured. Gain over scratch: difference of the unrounded means, in "
    "points. Minutes are wall time, memory is the peak of one process."
)
HEADINGS: dict[Kind, str] = {"full": "Full runs", "smoke": "Smoke runs"}
WARNINGS: dict[Kind, str] = {"smoke": "smoke run: toy schedules, figures mean nothing"}
PAINTINGS = {
    "inpaint": "inpainted",
    "mean": "mean colour",
    "super": "super-resolved",
    "bicubic": "bicubic",
}
BASELINES = ("mean", "bicubic")  # of painting, the same for every method
DETAILS = {
    *(f"{kind}_ap{part}" for kind in ("box", "mask") for part in ("50", "75", "s", "m", "l")),
    *(f"{name}_{key}" for name in BASELINES for key in ("psnr", "ssim", "features")),
}
"""Metrics that records hold and tables, which they would make too wide, leave out."""
METRICS = {
    "top1": "top-1",
    "top5": "top-5",
    "box_ap": "APᵇᵒˣ",
    "mask_ap": "APᵐᵃˢᵏ",
    "miou": "mIoU",
    "macc": "mAcc",
    "aacc": "aAcc",
    **{f"top1_k{k}": f"top-1, k = {k}" for k in (10, 20, 100, 200)},
    "mean_recall": "mean recall",
    **{
        f"{task}_{key}": f"{name}, {said}"
        for task, said in PAINTINGS.items()
        for key, name in {"psnr": "PSNR (dB)", "ssim": "SSIM", "features": "features"}.items()
    },
}
UNITS = {
    f"{task}_{key}": unit
    for task in PAINTINGS
    for key, unit in {"psnr": "", "ssim": f"{TIMES} 100", "features": f"{TIMES} 100"}.items()
}
"""Units of metrics that are no percentages; empty where the name says it."""


def with_unit(name: str) -> str:
    """A metric as axes and headers say it: ``top-1 (%)``."""
    unit = UNITS.get(name, "%")
    return METRICS.get(name, name) + (f" ({unit})" if unit else "")


def make_page(
    records: Iterable[Record],
    cited: Iterable[Record] = (),
    *,
    tables: list[Table] | None = None,
) -> Page:
    """Lay out the leaderboard of some records.

    Args:
        records: Measured ones.
        cited: Figures of others: beside the measured ones of the same protocol, else in sections
            of their own.
        tables: ``aggregate(records)``, where it is known.

    Raises:
        BenchError: If the records contradict one another.
    """
    known, cited = list(records), list(cited)
    protocols = {column_key(record) for record in known if record.kind == "full"}
    beside = [record for record in cited if column_key(record) in protocols]
    others = [record for record in cited if column_key(record) not in protocols]
    if beside or tables is None:
        tables = aggregate([*known, *beside])
    sections = [_section(table, HEADINGS[table.kind]) for table in tables]
    for task in TASKS:
        of_task = [record for record in others if record.protocol.task == task]
        sections += [_section(table, f"Cited: {task}") for table in aggregate(of_task)]
    return Page(TITLE, LEGEND, sections, len(known))


def _section(table: Table, heading: str) -> Section:
    notes = Notes(table.columns)
    grids = [grid for grid in (_results(table, notes), cost_grid(table, notes)) if grid.rows]
    listed = list(notes.listed())
    if table.superseded:
        text = (
            f"{table.superseded} records are left out: an earlier configuration or one with fewer "
            f"seeds, or an earlier run with the same seed"
        )
        listed.append(Note("", text))
    return Section(heading, WARNINGS.get(table.kind), grids, listed)


def _results(table: Table, notes: Notes) -> Grid:
    metrics = [
        (key, name)
        for key, protocol in table.columns.items()
        for name in protocol.metrics
        if name not in DETAILS
        and any(key in row.cells and name in row.cells[key].metrics for row in table.rows)
    ]
    headers = [Entry("method"), Entry("backbone"), Entry("pretraining")]
    headers += [
        Entry(METRICS.get(name, name), mark=notes.number(key), above=table.columns[key].task)
        for key, name in metrics
    ]
    extra = _extra_columns(table)
    headers += [column.header for column in extra]
    ranked = {} if table.kind == "smoke" else {pair: standing(table, *pair) for pair in metrics}
    rows = []
    for number, row in enumerate(table.rows):
        entries = [name_entry(row, notes), Entry(row.backbone), _pretraining(row, notes)]
        for key, name in metrics:
            place = ranked.get((key, name), Standing())
            entry = _metric(row, key, name, notes)
            entries.append(replace(entry, bold=number in place.best, second=number in place.second))
        rows.append([*entries, *(column.entries[number] for column in extra)])
        gained = {} if table.kind == "smoke" else gains(row, table.rows)
        if gained:
            rows.append(_gain_row(gained, metrics, len(headers)))
    return Grid("Results", headers, rows, frozenset({0, 1, 2}))


def _metric(row: Row, key: ColumnKey, name: str, notes: Notes) -> Entry:
    cell = row.cells.get(key)
    if cell is None or name not in cell.metrics:
        return Entry()
    text = show(cell.metrics[name], cited=row.provenance.kind != "measured")
    return Entry(text, mark=_deviation_mark(cell, notes))


@dataclass(frozen=True)
class _Column:
    header: Entry
    entries: list[Entry]


def _extra_columns(table: Table) -> list[_Column]:
    """Mean rank and minutes, where they are known of any row."""
    ranks = {} if table.kind == "smoke" else mean_rank_of(table)
    numbers = range(len(table.rows))
    minutes = [_minutes(row, table) for row in table.rows]
    columns = [
        _Column(
            Entry("rank", above="mean"),
            [Entry(f"{ranks[number]:.1f}" if number in ranks else "") for number in numbers],
        ),
        _Column(Entry("(min)", above="pretrain"), [pretrain for pretrain, _ in minutes]),
        _Column(Entry("(min)", above="fine-tune"), [finetune for _, finetune in minutes]),
    ]
    measured = any(row.provenance.kind == "measured" for row in table.rows)
    kept = columns[1:] if measured else []
    return [*(columns[:1] if ranks else []), *kept]


def _gain_row(
    gained: dict[ColumnKey, dict[str, float]], metrics: list[tuple[ColumnKey, str]], width: int
) -> list[Entry]:
    entries = [Entry("gain over scratch", italic=True), Entry(), Entry()]
    for key, name in metrics:
        points = gained.get(key, {}).get(name)
        entries.append(Entry() if points is None else Entry(show_gain(points), italic=True))
    return entries + [Entry()] * (width - len(entries))


def _minutes(row: Row, table: Table) -> tuple[Entry, Entry]:
    """Minutes of pretraining and of all fine-tunings; blank if one of these is not known."""
    pretrain = Entry(show_minutes(row.pretraining_cost.minutes) if row.pretraining_cost else "")
    costs = [row.cells[key].cost if key in row.cells else None for key in table.columns]
    known = [cost.minutes for cost in costs if cost is not None]
    return pretrain, Entry(show_minutes(sum(known)) if len(known) == len(costs) else "")


def _deviation_mark(cell: Cell, notes: Notes) -> str:
    if not cell.deviations:
        return ""
    return notes.symbol(f"deviates from the protocol: {'; '.join(cell.deviations)}")


def _pretraining(row: Row, notes: Notes) -> Entry:
    mark = ""
    if row.pretraining_deviations:
        text = f"pretraining deviates from its config: {'; '.join(row.pretraining_deviations)}"
        mark = notes.symbol(text)
    return Entry(show_origin(row.pretraining), mark=mark)


def show_origin(pretraining: Pretraining | None) -> str:
    """One line about a pretraining: data, epochs, image size."""
    if pretraining is None:
        return "none"
    parts = [pretraining.dataset]
    if pretraining.epochs is not None:
        parts.append(f"{pretraining.epochs:g} ep")
    if pretraining.image_size is not None:
        parts.append(show_size(pretraining.image_size))
    return ", ".join(parts)
