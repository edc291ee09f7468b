"""Charts of the leaderboard's web page as SVG."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from simmim_bench.leaderboard.aggregate import Cell, Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey, label_of
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.leaderboard.page import METRICS, UNITS, with_unit
from simmim_bench.leaderboard.statistics import noise_of
from simmim_bench.leaderboard.web.curves import learning_charts
from simmim_bench.leaderboard.web.drawing import (
    CHARACTERS,
    DISTINCT,
    WIDTH,
    Chart,
    as_svg,
    legend,
    looks_of,
    shorten,
    styled,
)
from simmim_bench.plots import new_figure

MAX_ROWS = 24
MIN_ROWS = 3  # of a column, for any number of columns
LINE = 0.38  # inches for the name of a row and the line below it
POINT = 49  # area of a marker in square points
SIDES = (-1, 1)


def charts_of(table: Table) -> Iterator[Chart]:
    """Charts of runs with intervals, metrics against pretraining time, pairs of tasks, learning.

    Two tasks are plotted against each other if their protocols are neighbours in the table. A chart
    needs two points or more and shows the best ``MAX_ROWS`` rows; a chart with a legend shows only
    as many as its colours and markers can distinguish.
    """
    columns = {key: table.columns[key].primary for key in table.columns}
    best = {key: _best(table, key, primary, MAX_ROWS) for key, primary in columns.items()}
    few = min(MAX_ROWS, max(MIN_ROWS, DISTINCT // len(columns)))
    shown = {key: _best(table, key, primary, few) for key, primary in columns.items()}
    headings = {key: _heading(table, key) for key in columns}
    looks = looks_of(_methods(best)) | looks_of(_methods(shown))
    for key, rows in best.items():
        if len(rows) > 1:
            heading = f"{headings[key]}: runs, mean, 95 % interval"
            known = sum(key in row.cells for row in table.rows)
            more = f" (best {MAX_ROWS} of {known})" if known > MAX_ROWS else ""
            yield Chart(heading + more, _seeds(table, key, rows, looks))
    for key, rows in shown.items():
        timed = [row for row in rows if _has_time(row)]
        if len(timed) > 1 and any(row.pretraining_cost for row in timed):
            more = f" (best {few})" if len(rows) < len(best[key]) else ""
            heading = f"{headings[key]} against pretraining time{more}"
            yield Chart(heading, _against_time(table, key, timed, looks))
    for first, second in itertools.pairwise(columns):
        if table.columns[first].task == table.columns[second].task:
            continue
        both = [row for row in shown[first] if _has(row, second, columns)]
        if len(both) > 1:
            heading = f"{headings[first]} against {headings[second]}"
            yield Chart(heading, _task_against_task(table, (first, second), both, looks))
    yield from learning_charts(table, shown, headings, looks)


def _methods(chosen: dict[ColumnKey, list[Row]]) -> set[str]:
    return {row.method for rows in chosen.values() for row in rows}


def _best(table: Table, key: ColumnKey, primary: str, most: int) -> list[Row]:
    """The best ``most`` rows of a column, in the order of the table."""
    known = {
        number: value
        for number, row in enumerate(table.rows)
        if (value := _value(row, key, primary)) is not None
    }
    kept = sorted(known, key=lambda number: -known[number])[:most]
    return [table.rows[number] for number in sorted(kept)]


def _has_time(row: Row) -> bool:
    return row.pretraining_cost is not None or row.pretraining is None


def _seeds(table: Table, key: ColumnKey, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    """Runs, mean and interval of each row, with its name above: a phone is too narrow for both."""
    primary = table.columns[key].primary
    with styled():
        figure = new_figure(width=WIDTH, height=0.6 + LINE * len(rows))
        axes = figure.subplots()
        _runs(axes, rows, key, primary, looks)
        _intervals(axes, [row.cells[key].metrics[primary] for row in rows],
                   noise_of(table, key, primary),
                   [looks[row.method]["color"] for row in rows])  # fmt: skip
        for place, row in enumerate(rows):
            axes.annotate(_name(row), (0, place), (3, 9), ("axes fraction", "data"),
                          "offset points", in_layout=False)  # fmt: skip
        axes.set_yticks([])
        axes.set_ylim(len(rows) - 0.6, -0.7)
        axes.set_xlabel(with_unit(primary))
        if primary not in UNITS:  # an interval of two seeds may exceed 0 to 100
            left, right = axes.get_xlim()
            axes.set_xlim(max(left, 0), min(right, 100))
        return as_svg(figure)


def _name(row: Row) -> str:
    """Method and backbone; if too long, the method is cut, as its colour identifies it, too."""
    fitting = int(WIDTH * CHARACTERS)
    method = shorten(row.method, max(12, fitting - len(f", {row.backbone}")))
    return shorten(f"{method}, {row.backbone}", fitting)


def _runs(
    axes: Any, rows: Sequence[Row], key: ColumnKey, primary: str, looks: dict[str, Any]
) -> None:
    """A point for each run on the line of its row; one call for each marker is fast."""
    points = [
        (record.metrics[primary], place, looks[row.method])
        for place, row in enumerate(rows)
        for record in row.cells[key].records
        if primary in record.metrics
    ]
    for marker in dict.fromkeys(look["marker"] for *_, look in points):
        values, places, alike = zip(*(p for p in points if p[2]["marker"] == marker), strict=True)
        inks = [look["color"] for look in alike]
        axes.scatter(values, places, POINT, inks, marker=marker, alpha=0.5, linewidths=0)


def _intervals(axes: Any, stats: Sequence[Stat], noise: Noise | None, inks: Sequence[str]) -> None:
    """Mean and 95 % interval on each line."""
    places = range(len(stats))
    halves = [noise.half_width(stat) or 0.0 if noise else 0.0 for stat in stats]
    means = [stat.mean for stat in stats]
    ends = [
        [mean + side * half for mean, half in zip(means, halves, strict=True)] for side in SIDES
    ]
    axes.scatter(means, places, 3 * POINT, inks, marker="|")
    axes.hlines(places, *ends, colors=inks)
    for end in ends:
        axes.scatter(end, places, POINT, inks, marker="|")


def _against_time(table: Table, key: ColumnKey, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    primary = table.columns[key].primary
    with styled():
        figure = new_figure(width=WIDTH, height=2.6)
        axes = figure.subplots()
        for row in rows:
            minutes = row.pretraining_cost.minutes if row.pretraining_cost else 0.0
            value = _value(row, key, primary)
            axes.plot(minutes, value, linestyle="", label=row.method, **looks[row.method])
        axes.set_xlabel("pretraining (min)")
        axes.set_ylabel(_axis(table, key))
        legend(figure)
        return as_svg(figure)


def _task_against_task(
    table: Table, keys: tuple[ColumnKey, ColumnKey], rows: Sequence[Row], looks: dict[str, Any]
) -> str:
    primaries = [table.columns[key].primary for key in keys]
    with styled():
        figure = new_figure(width=WIDTH, height=2.8)
        axes = figure.subplots()
        for row in rows:
            x, y = (_value(row, key, name) for key, name in zip(keys, primaries, strict=True))
            axes.plot(x, y, linestyle="", label=row.method, **looks[row.method])
        axes.set_xlabel(_axis(table, keys[0]))
        axes.set_ylabel(_axis(table, keys[1]))
        legend(figure)
        return as_svg(figure)


def _heading(table: Table, key: ColumnKey) -> str:
    """Task and metric, and the protocol if another one has the same task and metric."""
    protocol = table.columns[key]
    alike = [
        other
        for other in table.columns.values()
        if (other.task, other.primary) == (protocol.task, protocol.primary)
    ]
    text = f"{protocol.task} {METRICS.get(protocol.primary, protocol.primary)}"
    return text if len(alike) == 1 else f"{text}, {label_of(key, table.columns)}"


def _axis(table: Table, key: ColumnKey) -> str:
    return f"{table.columns[key].task} {with_unit(table.columns[key].primary)}"


def _has(row: Row, key: ColumnKey, primaries: dict[ColumnKey, str]) -> bool:
    return _value(row, key, primaries[key]) is not None


def _value(row: Row, key: ColumnKey, name: str) -> float | None:
    cell: Cell | None = row.cells.get(key)
    return cell.metrics[name].mean if cell and name in cell.metrics else None
