"""Learning curves: charts of the leaderboard, sparklines of its details, charts of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import Row, Table
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.metrics import METRICS, with_unit
from simmim_bench.leaderboard.web.drawing import (
    COLOURS,
    WIDTH,
    Chart,
    as_svg,
    legend,
    looks_of,
    styled,
)
from simmim_bench.plots import new_figure
from simmim_bench.records.curves import Curve, read_scalars
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.record import Record

LOSS = "loss"
MAX_LINES = 6
"""Methods in a chart of curves."""
KIND = "How do they learn?"
SPARK_WIDTH, SPARK_HEIGHT, EDGE = 160, 32, 2  # user units of the SVG
LOGGED = (("loss", "loss"), ("lr", "learning rate"), ("grad_norm", "gradient norm"))
RECONSTRUCTION = (("reconstruction/psnr", "PSNR of masked pixels (dB)"),)
PROBE = (
    ("probe/knn", "k-NN top-1 of the features (%)"),
    ("probe/linear", "linear top-1 of the features (%)"),
    ("probe/rankme", "effective rank of the features (RankMe)"),
    ("probe/lidar", "effective rank of the features (LiDAR)"),
)


@dataclass(frozen=True)
class Sparkline:
    """A label, the points of an SVG polyline, and the same as text."""

    label: str
    points: str
    text: str


def learning_charts(
    table: Table, known: Mapping[ColumnKey, list[Row]], topics: Mapping[ColumnKey, str]
) -> Iterator[Chart]:
    """A chart of pretraining losses and one for each protocol, if records have curves.

    Args:
        table: Table of one kind of runs.
        known: Rows of each column, best first; the first ``MAX_LINES`` are plotted.
        topics: Task and metric of each column.
    """
    best = {key: rows[:MAX_LINES] for key, rows in known.items()}
    of_best = f"The best {MAX_LINES} methods at most; each line is a run."
    losses = list(_pretrainings(best))
    if losses:
        yield Chart("Pretraining loss", _draw(losses, "loss"), KIND, "pretraining loss", of_best)
    for key, protocol in table.columns.items():
        name = protocol.primary
        curves = [
            (row.method, record.curves[name])
            for row in best[key]
            for record in row.cells[key].records
            if name in record.curves
        ]
        if any(len(curve.points) > 1 for _, curve in curves):
            drawn = _draw(curves, f"{protocol.task} {with_unit(name)}")
            yield Chart(f"{topics[key]} while training", drawn, KIND, topics[key], of_best)


def _pretrainings(best: Mapping[ColumnKey, list[Row]]) -> Iterator[tuple[str, Curve]]:
    """Method and loss of each pretraining of at most ``MAX_LINES`` methods, once for all tasks."""
    seen: set[str | None] = set()
    methods: dict[str, None] = {}
    for record in (
        record for key, rows in best.items() for row in rows for record in row.cells[key].records
    ):
        weights = record.pretraining.checkpoint_sha256 if record.pretraining else None
        if weights in seen or LOSS not in record.pretraining_curves:
            continue
        if len(methods | {record.label: None}) <= MAX_LINES:
            methods[record.label] = None
            seen.add(weights)
            yield record.label, record.pretraining_curves[LOSS]


def _draw(curves: list[tuple[str, Curve]], label: str) -> str:
    looks = looks_of(method for method, _ in curves)
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


def sparklines(record: Record) -> Iterator[Sparkline]:
    """Curves of a run and of its pretraining that have two points or more."""
    for before, curves in (("", record.curves), ("pretraining ", record.pretraining_curves)):
        for name, curve in curves.items():
            if len(curve.points) > 1:
                yield _sparkline(f"{before}{METRICS.get(name, name)}", curve)


def _sparkline(label: str, curve: Curve) -> Sparkline:
    steps, values = zip(*curve.points, strict=True)
    across = _scale(steps, EDGE, SPARK_WIDTH - EDGE)
    down = _scale(values, SPARK_HEIGHT - EDGE, EDGE)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    text = f"{values[0]:g} to {values[-1]:g} over {curve.against}s {steps[0]:g} to {steps[-1]:g}"
    return Sparkline(label, points, text)


def _scale(values: tuple[float, ...], low: float, high: float) -> list[float]:
    """Scale values linearly to ``low`` ... ``high``; to the middle if all are equal."""
    least, span = min(values), max(values) - min(values)
    if not span:
        return [(low + high) / 2] * len(values)
    return [low + (value - least) / span * (high - low) for value in values]


def run_charts(folder: Path, protocol: Protocol | None) -> Iterator[Chart]:
    """Charts of one run: loss, learning rate, gradient norm, and the metrics of its evaluations.

    Args:
        folder: Folder of the run.
        protocol: Protocol whose metrics are plotted; None for a pretraining.
    """
    for key, label in LOGGED:
        yield from _chart(folder, key, label, "iteration")
    against = "evaluation after"
    if protocol is None:
        for key, label in (*RECONSTRUCTION, *PROBE):
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
