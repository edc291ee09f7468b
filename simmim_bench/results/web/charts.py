"""Charts of the web page as SVG whose text and axes take the page's colours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from simmim_bench.results.aggregate import Cell, ColumnKey, Row, Table
from simmim_bench.results.page import METRICS
from simmim_bench.results.statistics import half_width
from simmim_bench.results.web.drawing import Chart, as_svg, legend, looks_of, styled
from simmim_bench.results.web.learning import learning_charts
from simmim_bench.visualization.figure import new_figure


def charts_of(table: Table) -> Iterator[Chart]:
    """Seeds with intervals, figures against pretraining time, task against task, learning.

    Each is drawn where there are at least two points to compare.
    """
    looks = looks_of(row.method for row in table.rows)
    columns = {key: table.columns[key].primary for key in table.columns}
    for key, primary in columns.items():
        rows = [row for row in table.rows if _value(row, key, primary) is not None]
        if len(rows) > 1:
            yield Chart(
                f"{_axis(table, key)}: runs, mean, 95 % interval", _seeds(table, key, rows, looks)
            )
    timed = [row for row in table.rows if row.pretraining_cost or row.pretraining is None]
    if len(timed) > 1 and any(row.pretraining_cost for row in timed):
        yield Chart("What pretraining time buys", _against_time(table, timed, looks))
    keys = list(columns)
    for first, second in itertools.pairwise(keys):
        both = [
            row for row in table.rows if _has(row, first, columns) and _has(row, second, columns)
        ]
        if len(both) > 1:
            heading = f"{_axis(table, first)} against {_axis(table, second)}"
            yield Chart(heading, _task_against_task(table, (first, second), both, looks))
    yield from learning_charts(table, looks)


def _seeds(table: Table, key: ColumnKey, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    primary = table.columns[key].primary
    with styled():
        figure = new_figure(width=6.0, height=0.7 + 0.35 * len(rows))
        axes = figure.subplots()
        for place, row in enumerate(rows):
            cell, look = row.cells[key], looks[row.method]
            values = [r.metrics[primary] for r in cell.records if primary in r.metrics]
            axes.plot(values, [place] * len(values), linestyle="", alpha=0.5, **look)
            stat = cell.metrics[primary]
            half = half_width(stat)
            axes.errorbar(stat.mean, place, xerr=half, capsize=4, color=look["color"], marker="|",
                          markersize=12)  # fmt: skip
        labels = [f"{row.method}, {row.backbone}" for row in rows]
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"{METRICS.get(primary, primary)} (%)")
        return as_svg(figure)


def _against_time(table: Table, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    with styled():
        figure = new_figure(width=3.0 * len(table.columns), height=2.8)
        for axes, key in zip(
            figure.subplots(1, len(table.columns), squeeze=False)[0], table.columns, strict=True
        ):
            primary = table.columns[key].primary
            for row in rows:
                value = _value(row, key, primary)
                if value is not None:
                    minutes = row.pretraining_cost.minutes if row.pretraining_cost else 0.0
                    axes.plot(minutes, value, linestyle="", label=row.method, **looks[row.method])
            axes.set_xlabel("pretraining (min)")
            axes.set_ylabel(f"{_axis(table, key)} (%)")
        legend(figure)
        return as_svg(figure)


def _task_against_task(
    table: Table, keys: tuple[ColumnKey, ColumnKey], rows: Sequence[Row], looks: dict[str, Any]
) -> str:
    primaries = [table.columns[key].primary for key in keys]
    with styled():
        figure = new_figure(width=4.2, height=3.2)
        axes = figure.subplots()
        for row in rows:
            x, y = (_value(row, key, name) for key, name in zip(keys, primaries, strict=True))
            axes.plot(x, y, linestyle="", label=row.method, **looks[row.method])
        axes.set_xlabel(f"{_axis(table, keys[0])} (%)")
        axes.set_ylabel(f"{_axis(table, keys[1])} (%)")
        legend(figure)
        return as_svg(figure)


def _axis(table: Table, key: ColumnKey) -> str:
    protocol = table.columns[key]
    return f"{protocol.task} {METRICS.get(protocol.primary, protocol.primary)}"


def _has(row: Row, key: ColumnKey, primaries: dict[ColumnKey, str]) -> bool:
    return _value(row, key, primaries[key]) is not None


def _value(row: Row, key: ColumnKey, name: str) -> float | None:
    cell: Cell | None = row.cells.get(key)
    return cell.metrics[name].mean if cell and name in cell.metrics else None
