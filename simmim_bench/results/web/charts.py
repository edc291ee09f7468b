"""Charts of the web page as SVG whose text and axes take the page's colours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from simmim_bench.results.aggregate import Cell, ColumnKey, Row, Stat, Table
from simmim_bench.results.page import METRICS, UNITS, with_unit
from simmim_bench.results.statistics import half_width
from simmim_bench.results.web.drawing import TOLD_APART, Chart, as_svg, legend, looks_of, styled
from simmim_bench.results.web.learning import learning_charts
from simmim_bench.visualization.figure import new_figure

MOST_ROWS = 24
FEWEST = 3  # of a column, however many columns there are
PANELS = 4  # side by side
POINT = 49  # area of a run's mark, in square points
SIDES = (-1, 1)


def charts_of(table: Table) -> Iterator[Chart]:
    """Seeds with intervals, figures against pretraining time, task against task, learning.

    A task stands against the next one, by the protocols that are neighbours in the table.
    Each is drawn where there are at least two points to compare, of the best ``MOST_ROWS`` rows;
    with a legend, of so few that all its methods are told apart.
    """
    columns = {key: table.columns[key].primary for key in table.columns}
    best = {key: _best(table, key, primary, MOST_ROWS) for key, primary in columns.items()}
    few = min(MOST_ROWS, max(FEWEST, TOLD_APART // len(columns)))
    told = {key: _best(table, key, primary, few) for key, primary in columns.items()}
    looks = looks_of(_methods(best)) | looks_of(_methods(told))
    for key, rows in best.items():
        if len(rows) > 1:
            heading = f"{_heading(table, key)}: runs, mean, 95 % interval"
            known = sum(key in row.cells for row in table.rows)
            more = f" (best {MOST_ROWS} of {known})" if known > MOST_ROWS else ""
            yield Chart(heading + more, _seeds(table, key, rows, looks))
    timed = {key: [row for row in rows if _has_time(row)] for key, rows in told.items()}
    if any(row.pretraining_cost for rows in timed.values() for row in rows):
        more = (
            f" (best {few} of each)" if any(len(told[key]) < len(best[key]) for key in best) else ""
        )
        yield Chart(f"What pretraining time buys{more}", _against_time(table, timed, looks))
    for first, second in itertools.pairwise(columns):
        if table.columns[first].task == table.columns[second].task:
            continue
        both = [row for row in told[first] if _has(row, second, columns)]
        if len(both) > 1:
            heading = f"{_heading(table, first)} against {_heading(table, second)}"
            yield Chart(heading, _task_against_task(table, (first, second), both, looks))
    yield from learning_charts(table, told, looks)


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
    primary = table.columns[key].primary
    with styled():
        figure = new_figure(width=6.0, height=0.7 + 0.35 * len(rows))
        axes = figure.subplots()
        _runs(axes, rows, key, primary, looks)
        _intervals(axes, [row.cells[key].metrics[primary] for row in rows],
                   [looks[row.method]["color"] for row in rows])  # fmt: skip
        labels = [f"{row.method}, {row.backbone}" for row in rows]
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(with_unit(primary))
        if primary not in UNITS:  # an interval of two seeds may leave what is possible
            left, right = axes.get_xlim()
            axes.set_xlim(max(left, 0), min(right, 100))
        return as_svg(figure)


def _runs(
    axes: Any, rows: Sequence[Row], key: ColumnKey, primary: str, looks: dict[str, Any]
) -> None:
    """A point for each run, on the line of its row; one call for each marker."""
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


def _intervals(axes: Any, stats: Sequence[Stat], inks: Sequence[str]) -> None:
    """Mean and 95 % interval on each line."""
    places, halves = range(len(stats)), [half_width(stat) or 0.0 for stat in stats]
    means = [stat.mean for stat in stats]
    ends = [
        [mean + side * half for mean, half in zip(means, halves, strict=True)] for side in SIDES
    ]
    axes.scatter(means, places, 3 * POINT, inks, marker="|")
    axes.hlines(places, *ends, colors=inks)
    for end in ends:
        axes.scatter(end, places, POINT, inks, marker="|")


def _against_time(table: Table, best: dict[ColumnKey, list[Row]], looks: dict[str, Any]) -> str:
    across = min(PANELS, len(best))
    down = -(-len(best) // across)
    with styled():
        figure = new_figure(width=max(6.0, 3.0 * across), height=2.8 * down)
        panels = figure.subplots(down, across, squeeze=False).flat
        for axes in panels[len(best) :]:
            axes.axis("off")
        for axes, (key, rows) in zip(panels, best.items(), strict=False):
            primary = table.columns[key].primary
            for row in rows:
                value = _value(row, key, primary)
                if value is not None:
                    minutes = row.pretraining_cost.minutes if row.pretraining_cost else 0.0
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
        figure = new_figure(width=5.0, height=3.2)
        axes = figure.subplots()
        for row in rows:
            x, y = (_value(row, key, name) for key, name in zip(keys, primaries, strict=True))
            axes.plot(x, y, linestyle="", label=row.method, **looks[row.method])
        axes.set_xlabel(_axis(table, keys[0]))
        axes.set_ylabel(_axis(table, keys[1]))
        legend(figure)
        return as_svg(figure)


def _heading(table: Table, key: ColumnKey) -> str:
    protocol = table.columns[key]
    return f"{protocol.task} {METRICS.get(protocol.primary, protocol.primary)}"


def _axis(table: Table, key: ColumnKey) -> str:
    return f"{table.columns[key].task} {with_unit(table.columns[key].primary)}"


def _has(row: Row, key: ColumnKey, primaries: dict[ColumnKey, str]) -> bool:
    return _value(row, key, primaries[key]) is not None


def _value(row: Row, key: ColumnKey, name: str) -> float | None:
    cell: Cell | None = row.cells.get(key)
    return cell.metrics[name].mean if cell and name in cell.metrics else None
