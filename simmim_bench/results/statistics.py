"""Are two means over seeds different? Welch's test, Holm's correction, intervals, ranks.

Written in NumPy for thousands of rows at once; the tests compare all of it with SciPy's and
statsmodels' own functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from simmim_bench.results.aggregate import Stat

LEVEL = 0.95
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Difference:
    """``ours - theirs``, in points; interval and p are None where one of them is a single run."""

    points: float
    interval: tuple[float, float] | None
    p: float | None


def half_width(stat: Stat) -> float | None:
    """Half of the 95 % confidence interval of a mean, by Student's t; None for a single run."""
    if stat.sd is None:
        return None
    return _quantile(stat.n - 1) * stat.sd / math.sqrt(stat.n)


@cache
def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def difference(ours: Stat, theirs: Stat) -> Difference:
    """Difference of two means with Welch's interval and test (unequal variances)."""
    points = ours.mean - theirs.mean
    if ours.sd is None or theirs.sd is None:
        return Difference(points, None, None)
    [error], [freedom], [p] = _welch(ours, [theirs])
    reach = _quantile(freedom) * error if error else 0.0
    return Difference(points, (points - reach, points + reach), p)


def ties(best: Stat, rivals: Sequence[Stat]) -> list[bool]:
    """Which rivals are within seed noise of the best.

    A single run is taken to vary as much as what it is compared with; of two single runs nothing
    is known, and they never tie.
    """
    known = [n for n, rival in enumerate(rivals) if not best.sd is rival.sd is None]
    if not known:
        return [False] * len(rivals)
    *_, p_values = _welch(best, [rivals[number] for number in known])
    corrected = zip(known, holm(p_values), strict=True)
    tied = {number for number, p in corrected if p >= SIGNIFICANCE}
    return [number in tied for number in range(len(rivals))]


def _welch(one: Stat, others: Sequence[Stat]) -> tuple[list[float], list[float], list[float]]:
    """Standard errors of differences, degrees of freedom, two-sided p values.

    Of each pair one deviation is known at least, and stands for the other of a single run.
    Without any spread, p is 1 for equal means and 0 for others.
    """
    import numpy as np
    from scipy.special import stdtr

    means, spreads, counts = np.array([(s.mean, s.sd, s.n) for s in (one, *others)], float).T
    ours = np.where(counts[0] > 1, spreads[0], spreads[1:])
    theirs = np.where(counts[1:] > 1, spreads[1:], spreads[0])
    first, second = ours**2 / counts[0], theirs**2 / counts[1:]
    total = first + second
    with np.errstate(invalid="ignore", divide="ignore"):
        share = first / total  # squares of it do not underflow
        parts = share**2 / (counts[0] - 1) + (1 - share) ** 2 / (counts[1:] - 1)
        single = np.minimum(counts[0], counts[1:]) == 1
        freedom = np.where(single, np.maximum(counts[0], counts[1:]) - 1, 1 / parts)
        p = 2 * stdtr(freedom, -np.abs(means[0] - means[1:]) / np.sqrt(total))
    p = np.where(total == 0, means[0] == means[1:], p)
    return np.sqrt(total).tolist(), freedom.tolist(), p.tolist()


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number, by Holm's step-down method."""
    import numpy as np

    given = np.array(p_values, float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(stepped, 1)
    found: list[float] = corrected.tolist()
    return found


def mean_ranks(values: Sequence[Sequence[float]]) -> list[float]:
    """Mean rank of each row over its columns (1 is best, larger values win, ties share).

    Args:
        values: Rows of equal length, without gaps.
    """
    import numpy as np

    if not values:
        return []
    columns = -np.array(values, float).T
    ranks = []
    for column in columns:
        _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[places])
    found: list[float] = np.mean(ranks, axis=0).tolist()
    return found
