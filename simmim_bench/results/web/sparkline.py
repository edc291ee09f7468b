"""Learning curves as small as a word, for the details of a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simmim_bench.leaderboard.page import METRICS
from simmim_bench.results.curve import Curve
from simmim_bench.results.record import Record

WIDTH, HEIGHT, EDGE = 160, 32, 2  # user units of the SVG


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
    across = _scale(steps, EDGE, WIDTH - EDGE)
    down = _scale(values, HEIGHT - EDGE, EDGE)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    said = f"{values[0]:g} to {values[-1]:g} over {curve.against}s {steps[0]:g} to {steps[-1]:g}"
    return Sparkline(label, points, said)


def _scale(values: tuple[float, ...], low: float, high: float) -> list[float]:
    """Values between ``low`` (the smallest) and ``high``; in the middle if all are alike."""
    least, span = min(values), max(values) - min(values)
    if not span:
        return [(low + high) / 2] * len(values)
    return [low + (value - least) / span * (high - low) for value in values]
