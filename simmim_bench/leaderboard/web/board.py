"""Tables of the web page: a row for each method, tasks and costs as columns.

Measured rows are grouped by backbone. Cited ones stand in a table for each task, grouped by
protocol, as each has its own. To add a cost, add it to ``expenses.COSTS``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from simmim_bench.leaderboard.aggregate import Cell, Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey, label_of, subject_of
from simmim_bench.leaderboard.grid import (
    describe_protocol,
    show_gain,
    show_origin,
    states_precision,
)
from simmim_bench.leaderboard.metrics import METRICS, is_detail
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.leaderboard.page import HEADINGS, WARNINGS
from simmim_bench.leaderboard.ranks import Ranking, rankings
from simmim_bench.leaderboard.statistics import (
    Gain,
    Standing,
    gains_of,
    least_differences,
    noise_of,
    standing,
)
from simmim_bench.leaderboard.web.expenses import COSTS, fine_tunings
from simmim_bench.leaderboard.web.facts import Detail, detail_of, facts_of
from simmim_bench.leaderboard.web.layout import MANY, Board, Group, Head, Line, Shown
from simmim_bench.records.protocols import tasks


class _Context:
    """A table with what all its columns share: noise, least differences, curves left to draw."""

    def __init__(self, table: Table, curves: int) -> None:
        self.table = table
        self.noises = {
            key: noise_of(table, key, protocol.primary) for key, protocol in table.columns.items()
        }
        self.least = least_differences(table)
        self._curves = curves

    def detail(self, row: Row, key: ColumnKey) -> Detail:
        """Facts about a row under one protocol."""
        self._curves -= 1
        return detail_of(self.table, key, row, self.noises[key], curves=self._curves >= 0)


def boards_of(tables: Iterable[Table], cited: Iterable[Table], *, curves: int) -> list[Board]:
    """All tables of a page: measured, smoke, and cited by task.

    Args:
        tables: Of measured records.
        cited: Of results of others.
        curves: Number of details that show learning curves.
    """
    found = [_measured(_Context(table, curves)) for table in tables]
    return found + [board for table in cited for board in _cited(_Context(table, 0))]


Make = Callable[[Row], Shown]


def _measured(context: _Context) -> Board:
    table = context.table
    results = [pair for key in table.columns for pair in _metrics(table, key)]
    ranked = [] if table.kind == "smoke" else rankings(table)
    columns = _rank(ranked) + [_result(context, key, name) for key, name in results]
    columns += _costs(table)
    order = {row: mean for some in ranked for row, mean in zip(some.rows, some.means, strict=True)}
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(row.backbone, []).append(row)
    origins = {show_origin(row.pretraining) for row in table.rows if row.pretraining}
    shared = len(origins) == 1 and len(table.rows) > MANY
    made = []
    for backbone, rows in groups.items():
        rows.sort(
            key=lambda row: (
                order.get(row, len(order) + 1.0),
                *_by_results(table, row, table.columns),
            )
        )
        lines = [_line(context, row, list(row.cells), columns) for row in rows]
        if shared:
            lines = [replace(line, pretraining="") for line in lines]
        made.append(Group(backbone, tuple(lines)))
    devices = sorted(
        {
            cost.device
            for row in table.rows
            for cost in [*fine_tunings(row), row.pretraining_cost]
            if cost
        }
    )
    notes = [*_protocols(table, table.columns)]
    if shared:
        notes.append(("pretraining", f"{origins.pop()}, of all methods"))
    if devices:
        notes.append(("cost", f"mean over seeds, on {'; '.join(devices)}"))
    if table.superseded:
        notes.append(("left out", f"{table.superseded} earlier records of the same runs"))
    return Board(
        id="smoke" if table.kind == "smoke" else "measured",
        heading=HEADINGS[table.kind] if table.kind == "smoke" else "Measured here",
        grouping="backbone",
        heads=tuple(head for head, _ in columns),
        groups=tuple(made),
        notes=tuple(notes),
        warning=WARNINGS.get(table.kind, ""),
    )


def _by_results(table: Table, row: Row, keys: Iterable[ColumnKey]) -> Iterator[float]:
    """Best first, by the primary metric of one column after the other; blanks last."""
    for key in keys:
        cell = row.cells.get(key)
        stat = cell.metrics.get(table.columns[key].primary) if cell else None
        yield -stat.mean if stat else float("inf")


def _cited(context: _Context) -> Iterator[Board]:
    table = context.table
    for task in tasks():
        keys = [key for key, protocol in table.columns.items() if protocol.task == task]
        names = dict.fromkeys(name for key in keys for _, name in _metrics(table, key))
        if not names:
            continue
        made, heads = [], dict[str, Head]()
        for key in keys:
            pairs = [
                _result(context, key, name) if _has(table, key, name) else None for name in names
            ]
            for name, pair in zip(names, pairs, strict=True):
                if pair and heads.get(name, pair[0]).kind != "result":
                    heads[name] = pair[0]
                elif pair:
                    heads.setdefault(name, pair[0])
            columns = [pair or (Head("", "", "", ""), lambda _: Shown()) for pair in pairs]
            rows = [row for row in table.rows if key in row.cells]
            rows.sort(key=partial(_place, table, key))
            protocol = table.columns[key]
            lines = [_line(context, row, [key], columns) for row in rows]
            text = describe_protocol(table, key)
            made.append(
                Group(f"{label_of(key, table.columns)}: {text}", tuple(lines), protocol.dataset)
            )
        plain = [
            Head(f"{task}.{name}", task, head.text, head.kind, task=task)
            for name, head in ((name, heads[name]) for name in names)
        ]
        yield Board(f"cited-{task}", f"Cited: {task}", "protocol", tuple(plain), tuple(made), ())


def _place(table: Table, key: ColumnKey, row: Row) -> list[float]:
    return list(_by_results(table, row, [key]))


def _has(table: Table, key: ColumnKey, name: str) -> bool:
    return any(key in row.cells and name in row.cells[key].metrics for row in table.rows)


def _metrics(table: Table, key: ColumnKey) -> Iterator[tuple[ColumnKey, str]]:
    """The metrics of a column that tables show, the primary one first."""
    protocol = table.columns[key]
    for name in sorted(protocol.metrics, key=lambda name: name != protocol.primary):
        if _has(table, key, name) and not is_detail(protocol, name):
            yield key, name


def _protocols(table: Table, keys: Iterable[ColumnKey]) -> Iterator[tuple[str, str]]:
    for key in keys:
        text = describe_protocol(table, key)
        yield label_of(key, table.columns), f"{table.columns[key].task}, {text}"


def _line(
    context: _Context, row: Row, keys: Sequence[ColumnKey], columns: Iterable[tuple[Head, Make]]
) -> Line:
    weights = {
        record.pretraining.checkpoint_sha256
        for cell in row.cells.values()
        for record in cell.records[:1]
        if record.pretraining
    }
    return Line(
        method=row.method,
        backbone=row.backbone,
        pretraining=show_origin(row.pretraining) if row.pretraining else "",
        provenance=row.provenance.kind,
        url=row.provenance.url,
        deviates=bool(row.pretraining_deviations) or row.is_mixed,
        weights=next(iter(sorted(filter(None, weights))), None),
        cells=tuple(make(row) for _, make in columns),
        facts=facts_of(row),
        details=tuple(context.detail(row, key) for key in keys),
    )


def _result(context: _Context, key: ColumnKey, name: str) -> tuple[Head, Make]:
    table, protocol = context.table, context.table.columns[key]
    noise = noise_of(table, key, name)
    place = Standing() if table.kind == "smoke" else standing(table, key, name)
    gains = {} if table.kind == "smoke" else gains_of(table, key, name)
    cells = {row: row.cells[key] for row in table.rows if key in row.cells}
    span = _span([cell.metrics[name] for cell in cells.values() if name in cell.metrics], noise)
    as_all = table.tuning_of(key) is not None
    mixed = len({cell.precision for cell in cells.values()} - {None}) > 1
    compared = table.kind == "full" and name == protocol.primary
    least = context.least.get(key) if compared else None
    head = Head(
        key=f"{label_of(key, table.columns)}.{name}",
        above=subject_of(key, table.columns),
        text=METRICS.get(name, name),
        kind="result" if name == protocol.primary else "other",
        title=f"{label_of(key, table.columns)}: " + describe_protocol(table, key),
        task=protocol.task,
        data=protocol.dataset,
        foot=f"{least[0]:.1f}" if least else "",
    )

    def make(row: Row) -> Shown:
        cell = cells.get(row)
        if cell is None or name not in cell.metrics:
            return Shown()
        shown = _shown(row, cell.metrics[name], noise, span)
        marks = [mark for mark, rows in vars(place).items() if mark != "rivals" and row in rows]
        gain = gains.get(row)
        return replace(
            shown,
            marks=" ".join([*marks, *_warnings(cell, as_all=as_all, mixed=mixed)]),
            gain=show_gain(gain.points) if gain else "",
            gain_interval=_show_interval(gain) if gain else "",
            sure=gain is not None and gain.is_sure,
        )

    return head, make


def _warnings(cell: Cell, *, as_all: bool, mixed: bool) -> Iterator[str]:
    """Marks of a cell.

    Args:
        cell: Of a column.
        as_all: Whether all runs of the column are tuned by the same search.
        mixed: Whether runs of the column have several precisions.
    """
    if cell.deviations or (cell.tuning and not as_all):
        yield "deviates"
    if any(record.leaks for record in cell.records):
        yield "seen"
    if mixed and cell.precision and not states_precision(cell.deviations):
        yield "precision"


def _shown(row: Row, stat: Stat, noise: Noise | None, span: tuple[float, float]) -> Shown:
    half = noise.half_width(stat) if noise else None
    low, high = (stat.mean - (half or 0), stat.mean + (half or 0))
    single = "(1)" if row.provenance.kind == "measured" else ""
    return Shown(
        value=f"{stat.mean:.1f}",
        spread=single if stat.sd is None else f"± {stat.sd:.1f} ({stat.n})",
        order=stat.mean,
        interval="" if half is None else f"{low:.1f} to {high:.1f}",
        bar=() if half is None else tuple(_percent(end, span) for end in (low, stat.mean, high)),
    )


def _show_interval(gain: Gain) -> str:
    if gain.interval is None:
        return ""
    low, high = (f"{end:.1f}".replace("-", "\N{MINUS SIGN}") for end in gain.interval)
    return f"[{low}, {high}]"


def _span(stats: Sequence[Stat], noise: Noise | None) -> tuple[float, float]:
    """Range of the bars of a column: all means with their intervals, within the usual ones."""
    halves = [noise.half_width(stat) or 0.0 if noise else 0.0 for stat in stats]
    usual = statistics.median(halves)
    means = [stat.mean for stat in stats]
    return min(means) - usual, max(means) + usual


def _percent(value: float, span: tuple[float, float]) -> float:
    low, high = span
    return 50.0 if low == high else round(100 * min(1, max(0, (value - low) / (high - low))), 1)


def _rank(ranked: Sequence[Ranking]) -> list[tuple[Head, Make]]:
    if not ranked:
        return []
    known = {
        row: Shown(value=f"{mean:.1f}", order=mean, interval=f"{low:.1f} to {high:.1f}")
        for some in ranked
        for row, mean, (low, high) in zip(some.rows, some.means, some.intervals, strict=True)
    }
    title = (
        "over the primary metrics, within the backbone; interval by bootstrap of tasks and seeds"
    )
    head = Head("rank", "mean", "rank", "rank", title=title, rising=True)
    return [(head, lambda row: known.get(row, Shown()))]


def _costs(table: Table) -> list[tuple[Head, Make]]:
    """Costs that some row has; minutes of pretraining only where GPU hours are unknown."""
    columns: list[tuple[Head, Make]] = []
    for above, unit, title, value, show in COSTS:
        found = {row: number for row in table.rows if (number := value(row, table)) is not None}
        hours = any(head.key == "pretrain (GPU h)" for head, _ in columns)
        if found and not (hours and unit == "(min)" and above == "pretrain"):
            head = Head(
                f"{above} {unit}", above, unit, "cost", title=title, rising=unit != "(images/s)"
            )
            shown = {row: Shown(value=show(number), order=number) for row, number in found.items()}
            columns.append((head, partial(_blank_or, shown)))
    return columns


def _blank_or(shown: dict[Row, Shown], row: Row) -> Shown:
    return shown.get(row, Shown())
