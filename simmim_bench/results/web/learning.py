"""Learning curves: the loss of pretrainings, the metric of fine-tunings, a line a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simmim_bench.leaderboard.aggregate import ColumnKey, Row, Table
from simmim_bench.leaderboard.page import with_unit
from simmim_bench.plots import new_figure
from simmim_bench.results.curve import Curve
from simmim_bench.results.web.drawing import WIDTH, Chart, as_svg, legend, styled

LOSS = "loss"
Named = list[tuple[str, Curve]]  # method and its curve


def learning_charts(
    table: Table,
    best: Mapping[ColumnKey, list[Row]],
    headings: Mapping[ColumnKey, str],
    looks: Mapping[str, Any],
) -> Iterator[Chart]:
    """A chart of pretrainings and one for each protocol, where records have curves.

    Args:
        table: Of one kind.
        best: Rows to draw, by column.
        headings: Of each column: task and metric.
        looks: Of each method.
    """
    losses = list(_pretrainings(best))
    if losses:
        yield Chart("Pretraining loss", _draw(losses, "loss", looks))
    for key, protocol in table.columns.items():
        name = protocol.primary
        curves = [
            (row.method, record.curves[name])
            for row in best[key]
            for record in row.cells[key].records
            if name in record.curves
        ]
        if any(len(curve.points) > 1 for _, curve in curves):
            heading = f"{headings[key]} while training"
            yield Chart(heading, _draw(curves, f"{protocol.task} {with_unit(name)}", looks))


def _pretrainings(best: Mapping[ColumnKey, list[Row]]) -> Iterator[tuple[str, Curve]]:
    """Each pretraining once, however many tasks have used it."""
    seen = set()
    for key, rows in best.items():
        for record in (record for row in rows for record in row.cells[key].records):
            weights = record.pretraining.checkpoint_sha256 if record.pretraining else None
            if weights not in seen and LOSS in record.pretraining_curves:
                seen.add(weights)
                yield record.method, record.pretraining_curves[LOSS]


def _draw(curves: Named, label: str, looks: Mapping[str, Any]) -> str:
    with styled():
        figure = new_figure(width=WIDTH, height=2.8)
        axes = figure.subplots()
        for method, curve in curves:
            look = {**looks[method], "markersize": 4, "markevery": max(1, len(curve.points) // 8)}
            steps, values = zip(*curve.points, strict=True)
            axes.plot(steps, values, label=method, linewidth=1.2, alpha=0.8, **look)
        axes.set_xlabel(curves[0][1].against)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(label)
        legend(figure)
        return as_svg(figure)
