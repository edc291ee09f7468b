"""Comparison of two methods by protocol and metric, with the uncertainty of the difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import Table, aggregate, comparable_cells
from simmim_bench.leaderboard.columns import label_of
from simmim_bench.leaderboard.grid import Entry, Grid, Page, Section, show_gain, show_stat
from simmim_bench.leaderboard.page import METRICS
from simmim_bench.leaderboard.statistics import SIGNIFICANCE, Difference, difference, holm
from simmim_bench.records.record import Record

LEGEND = (
    "Difference in points; interval: 95 %, by Welch, over seeds; p: Welch's t-test, corrected for "
    "the number of rows by Holm. A single seed has neither."
)


@dataclass(frozen=True)
class _Line:
    backbone: str
    protocol: str
    metric: str
    ours: str
    theirs: str
    found: Difference


def compare(records: Iterable[Record], ours: str, theirs: str) -> Page:
    """Compare the full runs of two methods wherever both ran.

    Only cells of the same backbone, protocol, config and deviations are compared.

    Raises:
        BenchError: If a method has no record, or the two have nothing in common.
    """
    known = [record for record in records if record.kind == "full"]
    methods = sorted({record.label for record in known})
    for method in (ours, theirs):
        if method not in methods:
            raise BenchError(f"no records of method {method!r}; there are: {'; '.join(methods)}")
    both = [record for record in known if record.label in (ours, theirs)]
    lines = [line for table in aggregate(both) for line in _lines(table, ours, theirs)]
    if not lines:
        raise BenchError(
            f"{ours} and {theirs} have no runs of the same backbone, protocol and config; run both "
            f"in one suite"
        )
    grid = _grid(lines, ours, theirs)
    return Page(
        "Comparison", LEGEND, [Section(f"{ours} and {theirs}", None, [grid], [])], len(both)
    )


def _lines(table: Table, ours: str, theirs: str) -> list[_Line]:
    pairs = [
        (row, other)
        for row in table.rows
        for other in table.rows
        if (row.method, other.method) == (ours, theirs)
    ]
    found = []
    for row, other in pairs:
        cells = comparable_cells(row, other)
        for key, protocol in table.columns.items():
            if key not in cells:
                continue
            mine, its = cells[key]
            where = label_of(key, table.columns)
            for name in protocol.metrics:
                if name in mine.metrics and name in its.metrics:
                    pair = mine.metrics[name], its.metrics[name]
                    shown = show_stat(pair[0]), show_stat(pair[1])
                    label = METRICS.get(name, name)
                    found.append(_Line(row.backbone, where, label, *shown, difference(*pair)))
    return found


def _grid(lines: list[_Line], ours: str, theirs: str) -> Grid:
    corrected = iter(holm([line.found.p for line in lines if line.found.p is not None]))
    rows = []
    for line in lines:
        p = next(corrected) if line.found.p is not None else None
        interval = line.found.interval
        rows.append(
            [
                Entry(line.backbone),
                Entry(line.protocol),
                Entry(line.metric),
                Entry(line.ours),
                Entry(line.theirs),
                Entry(show_gain(line.found.points), bold=p is not None and p < SIGNIFICANCE),
                Entry(f"{show_gain(interval[0])} to {show_gain(interval[1])}" if interval else ""),
                Entry("" if p is None else f"{p:.3f}"),
            ]
        )
    names = ["backbone", "protocol", "metric", ours, theirs, "difference", "interval", "p"]
    return Grid("Differences", [Entry(name) for name in names], rows, frozenset({0, 1, 2}))
