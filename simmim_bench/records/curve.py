"""A curve of a run, few enough points to be kept in a record."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field

from simmim_bench.records.schema import StrictModel

MOST_POINTS = 60
DIGITS = 5  # significant ones

Against = Literal["iteration", "epoch"]
Point = Annotated[tuple[float, float], Field(strict=False)]


class Curve(StrictModel):
    """Values against iterations or epochs, in rising order.

    ``loss`` is the loss that is minimised; a metric is in percent.
    """

    against: Against
    points: Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]


def thin(steps: Sequence[float], values: Sequence[float], *, against: Against) -> Curve:
    """A curve of at most ``MOST_POINTS`` points, each the mean of a run of neighbours.

    The last run ends with the last step, so that the end of a training is seen.

    Args:
        steps: In rising order, at least one.
        values: As many, finite.
        against: What ``steps`` counts.
    """
    parts = min(MOST_POINTS, len(steps))
    ends = [len(steps) * part // parts for part in range(parts + 1)]
    points = [
        (float(steps[last - 1]), _short(fmean(values[first:last])))
        for first, last in itertools.pairwise(ends)
    ]
    return Curve(against=against, points=points)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
