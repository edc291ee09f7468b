"""What a leaderboard page says, as grids of plain text; Markdown and terminal render the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from simmim_bench.results.aggregate import (
    Cell,
    ColumnKey,
    MeanCost,
    Row,
    Stat,
    Table,
    aggregate,
    gains,
)
from simmim_bench.results.manifest import Kind, Pretraining, Protocol
from simmim_bench.results.record import Provenance, Record
from simmim_bench.results.schema import ImageSize

TITLE = "Leaderboard"
LEGEND = (
    "Metrics in percent: mean ± sample standard deviation (number of seeds); best of a column in "
    "bold; blank: not measured; gain: points above the same backbone from scratch, of unrounded "
    "means."
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
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
SYMBOLS = "†‡§¶◊"


@dataclass(frozen=True)
class Entry:
    """One table cell: text, emphasis, and the mark of a note after it."""

    text: str = ""
    bold: bool = False
    italic: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Note:
    """A footnote; ``term`` is its subject, ``url`` its source."""

    mark: str
    text: str
    term: str = ""
    url: str | None = None


@dataclass(frozen=True)
class Grid:
    """Headers and rows; columns listed in ``words`` hold words, the others figures."""

    title: str
    headers: list[Entry]
    rows: list[list[Entry]]
    words: frozenset[int]


@dataclass(frozen=True)
class Section:
    """All that is said about runs of one kind."""

    heading: str
    warning: str | None
    grids: list[Grid]
    notes: list[Note]


@dataclass(frozen=True)
class Page:
    """A leaderboard."""

    title: str
    legend: str
    sections: list[Section]
    count: int


@dataclass
class _Notes:
    """Footnotes of one section; equal ones share a mark."""

    numbers: dict[ColumnKey, str] = field(default_factory=dict)
    symbols: dict[tuple[str, str | None], str] = field(default_factory=dict)

    def symbol(self, text: str, url: str | None = None) -> str:
        """Mark of the note that says ``text``."""
        index = len(self.symbols)
        fresh = SYMBOLS[index % len(SYMBOLS)] * (index // len(SYMBOLS) + 1)
        return self.symbols.setdefault((text, url), fresh)

    def listed(self, columns: dict[ColumnKey, Protocol]) -> Iterator[Note]:
        """All notes: protocols, then the others."""
        for key, protocol in columns.items():
            yield Note(self.numbers[key], describe(protocol), f"{protocol.id}@{protocol.version}")
        for (text, url), mark in self.symbols.items():
            yield Note(mark, text, url=url)


def make_page(records: Iterable[Record]) -> Page:
    """Lay out the leaderboard of some records.

    Raises:
        BenchError: If the records contradict one another.
    """
    known = list(records)
    sections = [_section(table) for table in aggregate(known)]
    return Page(TITLE, LEGEND, sections, len(known))


def describe(protocol: Protocol) -> str:
    """One line about a protocol: data, image size, schedule, metrics."""
    parts = [f"{protocol.dataset} ({protocol.split})"]
    if protocol.image_size is not None:
        parts.append(_size(protocol.image_size))
    if protocol.epochs is not None:
        parts.append(f"{protocol.epochs:g} epochs")
    if protocol.iterations is not None:
        parts.append(f"{protocol.iterations:,} iterations".replace(",", " "))
    return ", ".join(parts)


def show(stat: Stat) -> str:
    """``84.1 ± 0.3 (3)``; one run has no deviation: ``84.1 (1)``."""
    spread = "" if stat.sd is None else f" ± {stat.sd:.1f}"
    return f"{stat.mean:.1f}{spread} ({stat.n})"


def _section(table: Table) -> Section:
    notes = _Notes()
    for number, key in enumerate(table.columns, 1):
        notes.numbers[key] = str(number).translate(SUPERSCRIPTS)
    grids = [_results(table, notes), _costs(table, notes)]
    listed = list(notes.listed(table.columns))
    if table.superseded:
        text = (
            f"{table.superseded} older records are left out: an earlier configuration, or an "
            f"earlier run with the same seed"
        )
        listed.append(Note("", text))
    return Section(HEADINGS[table.kind], WARNINGS.get(table.kind), grids, listed)


def _results(table: Table, notes: _Notes) -> Grid:
    metrics = [(key, name) for key, protocol in table.columns.items() for name in protocol.metrics]
    headers = [Entry("method"), Entry("backbone"), Entry("pretraining")]
    headers += [
        Entry(f"{table.columns[key].task} {METRICS.get(name, name)}", mark=notes.numbers[key])
        for key, name in metrics
    ]
    headers += [Entry("pretrain (min)"), Entry("fine-tune (min)")]
    best = {} if table.kind == "smoke" else {pair: _best(table, *pair) for pair in metrics}
    rows = []
    for row in table.rows:
        entries = [_method(row, notes), Entry(row.backbone), _pretraining(row, notes)]
        entries += [_metric(row, key, name, best.get((key, name)), notes) for key, name in metrics]
        rows.append([*entries, *_minutes(row, table)])
        gained = {} if table.kind == "smoke" else gains(row, table.rows)
        if gained:
            rows.append(_gain_row(gained, metrics, len(headers)))
    return Grid("Results", headers, rows, frozenset({0, 1, 2}))


def _metric(
    row: Row, key: ColumnKey, name: str, best: dict[tuple[str, ...], str] | None, notes: _Notes
) -> Entry:
    cell = row.cells.get(key)
    if cell is None or name not in cell.metrics:
        return Entry()
    stat = cell.metrics[name]
    bold = (best or {}).get(cell.deviations) == f"{stat.mean:.1f}"
    return Entry(show(stat), bold=bold, mark=_deviation_mark(cell, notes))


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
        entries.append(Entry() if points is None else Entry(_signed(points), italic=True))
    return entries + [Entry()] * (width - len(entries))


def _minutes(row: Row, table: Table) -> list[Entry]:
    """Minutes of pretraining and of all fine-tunings; blank if one of these is not known."""
    pretrain = Entry(_duration(row.pretraining_cost.minutes) if row.pretraining_cost else "")
    costs = [row.cells[key].cost if key in row.cells else None for key in table.columns]
    known = [cost.minutes for cost in costs if cost is not None]
    return [pretrain, Entry(_duration(sum(known)) if len(known) == len(costs) else "")]


def _costs(table: Table, notes: _Notes) -> Grid:
    names = ["method", "backbone", "stage", "time (min)", "parameters (M)", "images/s",
             "memory (MiB)", "device"]  # fmt: skip
    rows = []
    for row in table.rows:
        who = [_method(row, notes), Entry(row.backbone)]
        if row.pretraining_cost:
            rows.append([*who, Entry("pretraining"), *_cost(row.pretraining_cost)])
        for key, protocol in table.columns.items():
            cell = row.cells.get(key)
            if cell and cell.cost:
                stage = Entry(protocol.task, mark=notes.numbers[key])
                rows.append([*who, stage, *_cost(cell.cost)])
    return Grid("Cost (means over seeds)", [Entry(name) for name in names], rows,
                frozenset({0, 1, 2, 7}))  # fmt: skip


def _cost(cost: MeanCost) -> list[Entry]:
    rate, parameters = cost.images_per_second, cost.parameters
    return [
        Entry(_duration(cost.minutes)),
        Entry("" if parameters is None else f"{parameters / 1e6:.1f}"),
        Entry("" if rate is None else f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"),
        Entry(f"{cost.peak_memory_mb:.0f}"),
        Entry(cost.device),
    ]


def _method(row: Row, notes: _Notes) -> Entry:
    return Entry(row.method, mark=_source_mark(row.provenance, notes))


def _source_mark(provenance: Provenance, notes: _Notes) -> str:
    if provenance.kind == "measured":
        return ""
    return notes.symbol(f"{provenance.kind}, not measured here: {provenance.table}", provenance.url)


def _deviation_mark(cell: Cell, notes: _Notes) -> str:
    if not cell.deviations:
        return ""
    return notes.symbol(f"deviates from the protocol: {'; '.join(cell.deviations)}")


def _pretraining(row: Row, notes: _Notes) -> Entry:
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
        parts.append(_size(pretraining.image_size))
    return ", ".join(parts)


def _size(size: ImageSize) -> str:
    return f"{size} px" if isinstance(size, int) else f"{size[0]} x {size[1]} px"


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "\N{MINUS SIGN}")


def _duration(minutes: float) -> str:
    return f"{minutes:.1f}" if minutes < 100 else f"{minutes:.0f}"
