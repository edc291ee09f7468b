"""Charts of the web page as SVG whose text and axes take the page's colours."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simmim_bench.results.aggregate import Cell, ColumnKey, Row, Table
from simmim_bench.results.page import METRICS
from simmim_bench.results.statistics import half_width
from simmim_bench.visualization.figure import new_figure

# Okabe and Ito's palette, told apart by the colour-blind (https://jfly.uni-koeln.de/color/),
# without its black and yellow, which vanish on dark and light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#123457"  # stands for the page's own text colour
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "simmim_bench",
    "font.family": "sans-serif",
    "text.parse_math": False,  # names are text
    "font.size": 9,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Chart:
    """A heading and inline SVG."""

    heading: str
    svg: str


def charts_of(table: Table) -> Iterator[Chart]:
    """Seeds with intervals, figures against pretraining time, task against task.

    Each is drawn where there are at least two points to compare.
    """
    looks = _looks(table)
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


def _seeds(table: Table, key: ColumnKey, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    primary = table.columns[key].primary
    with _styled():
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
        return _svg(figure)


def _against_time(table: Table, rows: Sequence[Row], looks: dict[str, Any]) -> str:
    with _styled():
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
        _legend(figure)
        return _svg(figure)


def _task_against_task(
    table: Table, keys: tuple[ColumnKey, ColumnKey], rows: Sequence[Row], looks: dict[str, Any]
) -> str:
    primaries = [table.columns[key].primary for key in keys]
    with _styled():
        figure = new_figure(width=4.2, height=3.2)
        axes = figure.subplots()
        for row in rows:
            x, y = (_value(row, key, name) for key, name in zip(keys, primaries, strict=True))
            axes.plot(x, y, linestyle="", label=row.method, **looks[row.method])
        axes.set_xlabel(f"{_axis(table, keys[0])} (%)")
        axes.set_ylabel(f"{_axis(table, keys[1])} (%)")
        _legend(figure)
        return _svg(figure)


def _looks(table: Table) -> dict[str, dict[str, Any]]:
    """Colour and marker of each method, the same in all charts."""
    methods = sorted({row.method for row in table.rows})
    return {
        method: {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "markersize": 7,
        }
        for place, method in enumerate(methods)
    }


def _axis(table: Table, key: ColumnKey) -> str:
    protocol = table.columns[key]
    return f"{protocol.task} {METRICS.get(protocol.primary, protocol.primary)}"


def _has(row: Row, key: ColumnKey, primaries: dict[ColumnKey, str]) -> bool:
    return _value(row, key, primaries[key]) is not None


def _value(row: Row, key: ColumnKey, name: str) -> float | None:
    cell: Cell | None = row.cells.get(key)
    return cell.metrics[name].mean if cell and name in cell.metrics else None


def _legend(figure: Any) -> None:
    """One legend for all axes, with names as they are."""
    found = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(found.values(), found.keys(), loc="outside upper center", ncols=4, frameon=False)


def _styled() -> Any:
    from matplotlib import rc_context

    return rc_context(STYLE)


def _svg(figure: Any) -> str:
    """Inline SVG, the same bytes for the same figure, ink as the page's."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace(INK, "currentColor")
