"""Layout of the leaderboard, as grids of plain text that Markdown, LaTeX and terminal render.

Where to add a column: to the results in ``_columns``, to the costs in ``costs.COLUMNS``, to the web
page in ``web/lines.py``. A metric becomes a column by being in the protocol of a config; give it a
name in ``METRICS`` and, unless it is in percent, a unit in ``UNITS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial

from simmim_bench.leaderboard.aggregate import (
    TIMES,
    Gains,
    Row,
    Table,
    aggregate,
    gains,
)
from simmim_bench.leaderboard.columns import ColumnKey, protocol_key
from simmim_bench.leaderboard.costs import cost_grid
from simmim_bench.leaderboard.grid import (
    NEAR,
    TOP,
    Entry,
    Grid,
    Note,
    Notes,
    Page,
    Section,
    name_entry,
    show_gain,
    show_minutes,
    show_origin,
    show_stat,
)
from simmim_bench.leaderboard.statistics import Standing, mean_rank_of, noise_of, standing
from simmim_bench.records.manifest import Kind
from simmim_bench.records.protocols import tasks
from simmim_bench.records.record import Record

TITLE = "Leaderboard"
LEGEND = (
    "Metrics are in percent unless another unit is given: mean ± sample standard deviation (number "
    f"of seeds); a single seed has no ±. Bold: best of its backbone. {TOP}: best of all backbones. "
    f"{NEAR}: not told apart from the best of its backbone (Tukey's test at 5 %, with the noise "
    "between seeds of the whole column). Rows with the same deviations are compared; cited rows "
    "among themselves. Blank: not measured. Gain over scratch: difference of the unrounded means, "
    "in points. Minutes are wall time, memory is the peak of one process."
)
HEADINGS: dict[Kind, str] = {"full": "Full runs", "smoke": "Smoke runs"}
WARNINGS: dict[Kind, str] = {"smoke": "smoke run: toy schedules, results are not meaningful"}
GENERATED = {
    "inpaint": "inpainted",
    "mean": "mean colour",
    "super": "super-resolved",
    "bicubic": "bicubic",
}
BASELINES = ("mean", "bicubic")  # of image generation, the same for every method
DETAILS = {
    *(f"{kind}_ap{part}" for kind in ("box", "mask") for part in ("50", "75", "s", "m", "l")),
    *(f"{name}_{key}" for name in BASELINES for key in ("psnr", "ssim", "features")),
}
"""Metrics that only records have; they would make the tables too wide."""
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
        f"{task}_{key}": f"{name}, {result}"
        for task, result in GENERATED.items()
        for key, name in {"psnr": "PSNR (dB)", "ssim": "SSIM", "features": "features"}.items()
    },
}
UNITS = {
    f"{task}_{key}": unit
    for task in GENERATED
    for key, unit in {"psnr": "", "ssim": f"{TIMES} 100", "features": f"{TIMES} 100"}.items()
}
"""Units of metrics that are not in percent; empty if the name says it."""


def with_unit(name: str) -> str:
    """A metric as axes and headers show it: ``top-1 (%)``."""
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
        cited: Results of others: in the table of the measured ones of the same protocol, else in
            sections of their own.
        tables: ``aggregate(records)``, if it is known.

    Raises:
        BenchError: If records contradict each other.
    """
    known, cited = list(records), list(cited)
    protocols = {protocol_key(record) for record in known if record.kind == "full"}
    beside = [record for record in cited if protocol_key(record) in protocols]
    others = [record for record in cited if protocol_key(record) not in protocols]
    if beside or tables is None:
        tables = aggregate([*known, *beside])
    sections = [_section(table, HEADINGS[table.kind]) for table in tables]
    for task in tasks():
        of_task = [record for record in others if record.protocol.task == task]
        sections += [_section(table, f"Cited: {task}") for table in aggregate(of_task)]
    earlier = sum(record.data is None and record.precision is None for record in known)
    return Page(TITLE, LEGEND, sections, len(known), earlier)


def _section(table: Table, heading: str) -> Section:
    notes = Notes(table)
    grids = [grid for grid in (_results(table, notes), cost_grid(table, notes)) if grid.rows]
    listed = list(notes.listed())
    if table.kind == "full" and (text := what_is_told_apart(table)):
        listed.append(Note("", text))
    if table.superseded:
        text = (
            f"{table.superseded} records are left out: an earlier configuration or one with fewer "
            f"seeds, or an earlier run with the same seed"
        )
        listed.append(Note("", text))
    return Section(heading, WARNINGS.get(table.kind), grids, listed)


def what_is_told_apart(table: Table) -> str:
    """The smallest differences that count, by column; empty where nothing is compared."""
    parts = []
    for key, protocol in table.columns.items():
        noise, place = (
            noise_of(table, key, protocol.primary),
            standing(table, key, protocol.primary),
        )
        seeds = [
            len(row.cells[key].records) for row in table.rows if row in place.best | place.near
        ]
        if noise is None or not place.near | place.best or max(seeds) < 2:
            continue
        usual = max(set(seeds), key=seeds.count)
        if usual > 1:
            points = noise.least_difference(usual, place.rivals)
            name = METRICS.get(protocol.primary, protocol.primary)
            parts.append(f"{protocol.task} {name} {points:.1f} ({usual} seeds)")
    return (
        f"smallest differences that are told apart, in points: {', '.join(parts)}" if parts else ""
    )


@dataclass(frozen=True)
class Column:
    """A column of the results: its header, its entry of a row, and of the gain below that row."""

    header: Entry
    show: Callable[[Row], Entry]
    gain: Callable[[Gains], Entry] = lambda _: Entry()
    is_text: bool = False


def _results(table: Table, notes: Notes) -> Grid:
    columns = _columns(table, notes)
    rows = []
    for row in table.rows:
        rows.append([column.show(row) for column in columns])
        gained = {} if table.kind == "smoke" else gains(row, table.rows)
        if gained:
            rows.append([column.gain(gained) for column in columns])
    texts = frozenset(number for number, column in enumerate(columns) if column.is_text)
    return Grid("Results", [column.header for column in columns], rows, texts)


def _columns(table: Table, notes: Notes) -> list[Column]:
    """Columns of the results from left to right; to add one, add it here."""
    columns = [
        Column(
            Entry("method"),
            lambda row: name_entry(row, notes),
            lambda _: Entry("gain over scratch", italic=True),
            is_text=True,
        ),
        Column(Entry("backbone"), lambda row: Entry(row.backbone), is_text=True),
        Column(Entry("pretraining"), partial(_pretraining, table, notes), is_text=True),
    ]
    for key, protocol in table.columns.items():
        for name in protocol.metrics:
            cells = [row.cells[key] for row in table.rows if key in row.cells]
            if name not in DETAILS and any(name in cell.metrics for cell in cells):
                columns.append(_metric_column(table, key, name, notes))
    ranks = {} if table.kind == "smoke" else mean_rank_of(table)
    if ranks:
        columns.append(
            Column(
                Entry("rank", above="mean"),
                lambda row: Entry(f"{ranks[row]:.1f}" if row in ranks else ""),
            )
        )
    if any(row.provenance.kind == "measured" for row in table.rows):
        columns += [
            Column(Entry("(min)", above="pretrain"), _pretraining_minutes),
            Column(Entry("(min)", above="fine-tune"), partial(_finetuning_minutes, table)),
        ]
    return columns


def _metric_column(table: Table, key: ColumnKey, name: str, notes: Notes) -> Column:
    place = Standing() if table.kind == "smoke" else standing(table, key, name)
    precisions = {row.cells[key].precision for row in table.rows if key in row.cells} - {None}

    def show(row: Row) -> Entry:
        cell = row.cells.get(key)
        if cell is None or name not in cell.metrics:
            return Entry()
        mark = ""
        if cell.deviations:
            mark = notes.symbol(f"deviates from the protocol: {'; '.join(cell.deviations)}")
        mark += _precision_mark(cell.precision, precisions, cell.deviations, "trained", notes)
        if leaks := dict.fromkeys(text for record in cell.records for text in record.leaks):
            mark += notes.symbol(f"seen in pretraining: {'; '.join(leaks)}")
        text = show_stat(cell.metrics[name], cited=row.provenance.kind != "measured")
        return Entry(
            text, mark=mark, bold=row in place.best, near=row in place.near, top=row in place.top
        )

    def gain(gained: Gains) -> Entry:
        points = gained.get(key, {}).get(name)
        return Entry() if points is None else Entry(show_gain(points), italic=True)

    task = table.columns[key].task
    return Column(Entry(METRICS.get(name, name), mark=notes.number(key), above=task), show, gain)


def _pretraining_minutes(row: Row) -> Entry:
    return Entry(show_minutes(row.pretraining_cost.minutes) if row.pretraining_cost else "")


def _finetuning_minutes(table: Table, row: Row) -> Entry:
    """Sum over all protocols of the table; blank if the cost of one is unknown."""
    costs = [row.cells[key].cost if key in row.cells else None for key in table.columns]
    known = [cost.minutes for cost in costs if cost is not None]
    return Entry(show_minutes(sum(known)) if len(known) == len(costs) else "")


def _pretraining(table: Table, notes: Notes, row: Row) -> Entry:
    mark = ""
    deviations, precision = row.pretraining_deviations, row.pretraining_precision
    precisions = {other.pretraining_precision for other in table.rows} - {None}
    if row.pretraining_deviations:
        text = f"pretraining deviates from its config: {'; '.join(row.pretraining_deviations)}"
        mark = notes.symbol(text)
    mark += _precision_mark(precision, precisions, deviations, "pretrained", notes)
    return Entry(show_origin(row.pretraining), mark=mark)


def _precision_mark(
    precision: str | None,
    known: Set[str | None],
    deviations: Sequence[str],
    what: str,
    notes: Notes,
) -> str:
    """Mark of a run's precision if others have another one and no deviation says it."""
    said = any(text.startswith("precision ") for text in deviations)
    if precision is None or said or len(known) < 2:
        return ""
    return notes.symbol(f"{what} in {precision}")
