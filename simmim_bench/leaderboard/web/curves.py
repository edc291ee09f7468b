"""Learning curves: the loss of pretrainings, the metric of fine-tunings, a line a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import ColumnKey, Row, Table
from simmim_bench.leaderboard.page import METRICS, with_unit
from simmim_bench.leaderboard.web.drawing import COLOURS, WIDTH, Chart, as_svg, legend, styled
from simmim_bench.plots import new_figure
from simmim_bench.records.curves import Curve, read_scalars
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.record import Record

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


# Learning curves as small as a word, for the details of a line.


SPARK_WIDTH, SPARK_HEIGHT, EDGE = 160, 32, 2  # user units of the SVG


@dataclass(frozen=True)
class Sparkline:
    """A label, the points of an SVG polyline, and what a reader of text is told."""

    label: str
    points: str
    said: str


def sparklines(record: Record) -> Iterator[Sparkline]:
    """Curves of a run and of its pretraining that have at least two points."""
    for before, curves in (("", record.curves), ("pretraining ", record.pretraining_curves)):
        for name, curve in curves.items():
            if len(curve.points) > 1:
                yield _sparkline(f"{before}{METRICS.get(name, name)}", curve)


def _sparkline(label: str, curve: Curve) -> Sparkline:
    steps, values = zip(*curve.points, strict=True)
    across = _scale(steps, EDGE, SPARK_WIDTH - EDGE)
    down = _scale(values, SPARK_HEIGHT - EDGE, EDGE)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    said = f"{values[0]:g} to {values[-1]:g} over {curve.against}s {steps[0]:g} to {steps[-1]:g}"
    return Sparkline(label, points, said)


def _scale(values: tuple[float, ...], low: float, high: float) -> list[float]:
    """Values between ``low`` (the smallest) and ``high``; in the middle if all are alike."""
    least, span = min(values), max(values) - min(values)
    if not span:
        return [(low + high) / 2] * len(values)
    return [low + (value - least) / span * (high - low) for value in values]


# Charts of one run from the scalars that it logged.


LOGGED = (("loss", "loss"), ("lr", "learning rate"), ("grad_norm", "gradient norm"))
PAINTED = (("reconstruction/psnr", "PSNR of masked pixels (dB)"),)


def run_charts(folder: Path, protocol: Protocol | None) -> Iterator[Chart]:
    """Loss, learning rate and gradient norm, and what the evaluations measured.

    Args:
        folder: Of the run.
        protocol: Whose metrics are drawn; reconstructions without one.
    """
    for key, label in LOGGED:
        yield from _chart(folder, key, label, "iteration")
    against = "evaluation after"
    if protocol is None:
        for key, label in PAINTED:
            yield from _chart(folder, key, label, "epoch")
        return
    for name, key in protocol.metrics.items():
        scale = 100.0 if key.startswith("coco/") else 1.0
        yield from _chart(folder, key, with_unit(name), against, scale=scale)


def _chart(
    folder: Path, key: str, label: str, against: str, *, scale: float = 1.0
) -> Iterator[Chart]:
    try:
        steps, values = read_scalars(folder, key)
    except BenchError:
        return
    if len(steps) < 2:
        return
    with styled():
        figure = new_figure(width=WIDTH, height=2.4)
        axes = figure.subplots()
        marker = "o" if len(steps) < 20 else ""
        axes.plot(
            steps,
            [scale * value for value in values],
            color=COLOURS[0],
            marker=marker,
            markersize=4,
        )
        axes.set_xlabel(against)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(label)
        yield Chart(label, as_svg(figure))
