"""Layout of the leaderboard, as grids of plain text that Markdown, LaTeX and terminal render.

Where to add a column: to the results in ``_Drawing.wide``, to the costs in ``costs.COLUMNS``, to
the web page in ``web/board.py``. A metric becomes a column by being in the protocol of a config;
give it a name and a unit in ``metrics.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import (
    Row,
    Table,
    aggregate,
)
from simmim_bench.leaderboard.columns import ColumnKey, label_of, protocol_key
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
    schedule_of,
    show_gain,
    show_minutes,
    show_origin,
    show_stat,
    states_precision,
)
from simmim_bench.leaderboard.metrics import METRICS, decimals_of
from simmim_bench.leaderboard.ranks import rankings
from simmim_bench.leaderboard.statistics import Standing, gains_of, least_differences, standing
from simmim_bench.records.manifest import Kind
from simmim_bench.records.protocols import Protocol, tasks
from simmim_bench.records.record import Record

TITLE = "Leaderboard"
LEGEND = (
    "Metrics are in percent unless another unit is given: mean ± sample standard deviation (number "
    f"of seeds); a single seed has no ±. Bold: best of its backbone. {TOP}: best of all backbones. "
    f"{NEAR}: not significantly different from the best of its backbone (Tukey's test at 5 %, with "
    "the noise between seeds of the whole column). Rows with the same deviations are compared; "
    "cited rows among themselves. Blank: not measured. Gain over scratch: difference of the "
    "unrounded means, in points. Minutes are wall time, memory is the peak of one process."
)
HEADINGS: dict[Kind, str] = {"full": "Full runs", "smoke": "Smoke runs"}
WARNINGS: dict[Kind, str] = {"smoke": "smoke run: toy schedules, results are not meaningful"}
WIDEST = 7
"""Columns of results that fit a page."""


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
    usual = _usual_seeds(table)
    grids = _results(table, notes, usual)
    costs = cost_grid(table, notes)
    listed = list(notes.listed())
    if usual:
        text = f"measured values are means of {usual} seeds, unless parentheses give another number"
        listed.append(Note("", text))
    if table.kind == "full" and (text := least_significant(table, notes)):
        listed.append(Note("", text))
    if table.superseded:
        text = (
            f"{table.superseded} records are left out: an earlier configuration or one with fewer "
            f"seeds, or an earlier run with the same seed"
        )
        listed.append(Note("", text))
    is_cited = all(row.provenance.kind != "measured" for row in table.rows)
    return Section(
        heading, WARNINGS.get(table.kind), grids, listed, (costs,) if costs.rows else (), is_cited
    )


def _usual_seeds(table: Table) -> int | None:
    """Number of seeds that most measured cells have; None for one."""
    counts = Counter(
        len(cell.records)
        for row in table.rows
        if row.provenance.kind == "measured"
        for cell in row.cells.values()
    )
    most = max(counts, key=lambda seeds: (counts[seeds], seeds), default=1)
    return most if most > 1 else None


def least_significant(table: Table, notes: Notes) -> str:
    """The smallest differences that count, by column; empty where nothing is compared."""
    parts = [
        f"{protocol.task} {METRICS.get(protocol.primary, protocol.primary)} {notes.number(key)} "
        f"{points:.1f} ({seeds} seeds)"
        for key, (points, seeds) in least_differences(table).items()
        for protocol in [table.columns[key]]
    ]
    return f"smallest significant differences, in points: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Column:
    """A column of the results: its header, its entry of a row, and of the gain below that row.

    ``show`` takes a row and the protocols of which it stands.
    """

    header: Entry
    show: Callable[[Row, Sequence[ColumnKey]], Entry]
    gain: Callable[[Row, Sequence[ColumnKey]], Entry] = lambda _, __: Entry()
    is_text: bool = False


def _results(table: Table, notes: Notes, usual: int | None) -> list[Grid]:
    """One table, or one for each task if it would have more than ``WIDEST`` columns of results.

    Cited results, of which each source has a protocol of its own, have a row for each protocol.
    """
    draw = _Drawing(table, notes, usual)
    if all(row.provenance.kind != "measured" for row in table.rows):
        return [draw.tall("Results", list(table.columns))]
    if len(draw.shown(list(table.columns))) <= WIDEST:
        return [draw.wide("Results", list(table.columns))]
    found = []
    for task in dict.fromkeys(protocol.task for protocol in table.columns.values()):
        keys = [key for key, protocol in table.columns.items() if protocol.task == task]
        fits = len(draw.shown(keys)) <= WIDEST
        found.append((draw.wide if fits else draw.tall)(task.capitalize(), keys))
    return found


class _Drawing:
    """Grids of a table's results.

    Args:
        table: What to show.
        notes: Collects footnotes.
        usual: As for ``grid.show_stat``.
    """

    def __init__(self, table: Table, notes: Notes, usual: int | None) -> None:
        self._table, self._notes, self._usual = table, notes, usual
        self._ranks = {
            row: mean
            for ranking in ([] if table.kind == "smoke" else rankings(table))
            for row, mean in zip(ranking.rows, ranking.means, strict=True)
        }

    def shown(self, keys: Iterable[ColumnKey]) -> list[tuple[ColumnKey, str]]:
        """Protocol and metric of each column of results."""
        return [
            (key, name)
            for key in keys
            for name in headline(self._table.columns[key])
            if any(key in row.cells and name in row.cells[key].metrics for row in self._table.rows)
        ]

    def wide(self, title: str, keys: list[ColumnKey]) -> Grid:
        """A row a method, a column for each protocol and metric; costs at the right."""
        results = [_metric_column(self._table, [key], name, self._notes, self._usual)
                   for key, name in self.shown(keys)]  # fmt: skip
        rows = [(row, keys) for row in self._table.rows if row.cells.keys() & set(keys)]
        ranks = self._ranks
        if ranks and len(keys) == len(self._table.columns):
            show = lambda row, _: Entry(f"{ranks[row]:.1f}" if row in ranks else "")  # noqa: E731
            results.append(Column(Entry("rank", above="mean"), show))
        if any(row.provenance.kind == "measured" for row, _ in rows):
            results += MINUTES
        return self._grid(title, [*self._names(), *results], rows)

    def tall(self, title: str, keys: list[ColumnKey]) -> Grid:
        """A row for each method and protocol, a column for each metric."""
        metrics = dict.fromkeys(name for _, name in self.shown(keys))
        setting = Column(
            Entry("protocol"),
            lambda _, keys: Entry(_setting(self._table, keys[0]), mark=self._notes.number(keys[0])),
            is_text=True,
        )
        results = [_metric_column(self._table, keys, name, self._notes, self._usual, marked=False)
                   for name in metrics]  # fmt: skip
        rows = [(row, [key]) for key in keys for row in self._table.rows if key in row.cells]
        return self._grid(title, [*self._names(), setting, *results], rows)

    def _grid(
        self, title: str, columns: list[Column], rows: list[tuple[Row, list[ColumnKey]]]
    ) -> Grid:
        columns = [column for column in columns if any(column.show(*row).text for row in rows)]
        drawn = []
        for row, keys in rows:
            drawn.append([column.show(row, keys) for column in columns])
            gains = [column.gain(row, keys) for column in columns]
            if self._table.kind != "smoke" and any(gain.text for gain in gains[1:]):
                drawn.append(gains)
        texts = frozenset(number for number, column in enumerate(columns) if column.is_text)
        return Grid(title, [column.header for column in columns], drawn, texts)

    def _names(self) -> list[Column]:
        return [
            Column(
                Entry("method"),
                lambda row, _: name_entry(row, self._notes),
                lambda _, __: Entry("gain over scratch", italic=True),
                is_text=True,
            ),
            Column(Entry("backbone"), lambda row, _: Entry(row.backbone), is_text=True),
            Column(
                Entry("pretraining"),
                lambda row, _: _pretraining(self._table, self._notes, row),
                is_text=True,
            ),
        ]


def headline(protocol: Protocol) -> list[str]:
    """Metrics of a protocol that tables show: its primary one, and the AP of masks beside boxes."""
    return [name for name in protocol.metrics if name in (protocol.primary, "mask_ap")]


def _setting(table: Table, key: ColumnKey) -> str:
    """Image size and schedule, or the name of a protocol that states neither."""
    protocol = table.columns[key]
    return ", ".join(schedule_of(protocol)) or label_of(key, table.columns)


def _metric_column(
    table: Table,
    keys: Sequence[ColumnKey],
    name: str,
    notes: Notes,
    usual: int | None,
    *,
    marked: bool = True,
) -> Column:
    """Column of a metric; a row shows that of the first of its protocols among ``keys``."""
    places = {
        key: Standing() if table.kind == "smoke" else standing(table, key, name) for key in keys
    }

    precisions = {
        key: {row.cells[key].precision for row in table.rows if key in row.cells} - {None}
        for key in keys
    }

    def show(row: Row, asked: Sequence[ColumnKey]) -> Entry:
        key = next((key for key in asked if key in places), None)
        cell = row.cells.get(key) if key else None
        if key is None or cell is None or name not in cell.metrics:
            return Entry()
        mark = ""
        if cell.deviations:
            mark = notes.symbol(f"deviates from the protocol: {_summary(cell.deviations)}")
        if cell.tuning and not table.tuning_of(key):
            mark += notes.symbol(f"{cell.tuning.described()} ({cell.tuning.explained()})")
        mark += _precision_mark(cell.precision, precisions[key], cell.deviations, "trained", notes)
        if leaks := dict.fromkeys(text for record in cell.records for text in record.leaks):
            mark += notes.symbol(f"seen in pretraining: {'; '.join(leaks)}")
        text = show_stat(
            cell.metrics[name],
            cited=row.provenance.kind != "measured",
            usual=usual,
            decimals=decimals_of(table.columns[key], name),
        )
        place = places[key]
        return Entry(
            text, mark=mark, bold=row in place.best, near=row in place.near, top=row in place.top
        )

    gains = {key: gains_of(table, key, name) for key in keys}

    def gain(row: Row, asked: Sequence[ColumnKey]) -> Entry:
        found = next((gains[key][row] for key in asked if row in gains.get(key, ())), None)
        return Entry() if found is None else Entry(show_gain(found.points), italic=True)

    task = table.columns[keys[0]].task
    number = notes.number(keys[0]) if marked else ""
    return Column(Entry(METRICS.get(name, name), mark=number, above=task), show, gain)


def _summary(texts: Iterable[str]) -> str:
    """The first of many, and how many more the CSV file lists."""
    first, *others = texts
    more = f" and {len(others)} more, see leaderboard.csv"
    return first + more if len(others) > 1 else "; ".join([first, *others])


def _pretraining_minutes(row: Row, _: Sequence[ColumnKey]) -> Entry:
    return Entry(show_minutes(row.pretraining_cost.minutes) if row.pretraining_cost else "")


def _finetuning_minutes(row: Row, keys: Sequence[ColumnKey]) -> Entry:
    """Sum over the protocols of the table; blank if the cost of one is unknown."""
    costs = [row.cells[key].cost if key in row.cells else None for key in keys]
    known = [cost.minutes for cost in costs if cost is not None]
    return Entry(show_minutes(sum(known)) if len(known) == len(costs) else "")


def _pretraining(table: Table, notes: Notes, row: Row) -> Entry:
    mark = ""
    deviations, precision = row.pretraining_deviations, row.pretraining_precision
    precisions = {other.pretraining_precision for other in table.rows} - {None}
    if row.pretraining_deviations:
        text = f"pretraining deviates from its config: {_summary(row.pretraining_deviations)}"
        mark = notes.symbol(text)
    if row.is_mixed:
        mark += notes.symbol("its tasks started from pretrainings of different configs")
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
    if precision is None or states_precision(deviations) or len(known) < 2:
        return ""
    return notes.symbol(f"{what} in {precision}")


MINUTES = (
    Column(Entry("(min)", above="pretrain"), _pretraining_minutes),
    Column(Entry("(min)", above="fine-tune"), _finetuning_minutes),
)
"""Costs beside the results; all are in a table of their own."""
