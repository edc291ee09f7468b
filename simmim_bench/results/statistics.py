"""Are two means over seeds different? Intervals and tests, by SciPy and statsmodels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from simmim_bench.results.aggregate import Stat
from simmim_bench.results.heap import collector_paused

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
def _quantile(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, freedom))


def difference(ours: Stat, theirs: Stat) -> Difference:
    """Difference of two means with Welch's interval and test (unequal variances)."""
    points = ours.mean - theirs.mean
    if ours.sd is None or theirs.sd is None:
        return Difference(points, None, None)
    errors = [stat.sd**2 / stat.n for stat in (ours, theirs) if stat.sd is not None]
    total = sum(errors)
    if total == 0:
        return Difference(points, (points, points), 0.0 if points else 1.0)
    from scipy.stats import t, ttest_ind_from_stats

    freedom = total**2 / sum(
        error**2 / (stat.n - 1) for error, stat in zip(errors, (ours, theirs), strict=True)
    )
    reach = float(t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(total)
    p = ttest_ind_from_stats(
        ours.mean, ours.sd, ours.n, theirs.mean, theirs.sd, theirs.n, equal_var=False
    ).pvalue
    return Difference(points, (points - reach, points + reach), float(p))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number, by Holm's method."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    with collector_paused():  # it collects garbage, which takes seconds with many records
        return [float(p) for p in multipletests(p_values, method="holm")[1]]


def ties(best: Stat, rivals: Sequence[Stat]) -> list[bool]:
    """Which rivals are within seed noise of the best; a single run never is."""
    repeated = [number for number, rival in enumerate(rivals) if rival.sd is not None]
    if best.sd is None or not repeated:
        return [False] * len(rivals)
    corrected = holm(_p_values(best, [rivals[number] for number in repeated]))
    tied = {number for number, p in zip(repeated, corrected, strict=True) if p >= SIGNIFICANCE}
    return [number in tied for number in range(len(rivals))]


def _p_values(best: Stat, rivals: Sequence[Stat]) -> list[float]:
    """P values of ``difference(best, rival)``, all at once; every deviation is known."""
    import numpy as np
    from scipy.stats import ttest_ind_from_stats

    both = np.array([(stat.mean, stat.sd, stat.n) for stat in (best, *rivals)], float)
    means, spreads, counts = both.T
    with np.errstate(invalid="ignore", divide="ignore"):
        found = ttest_ind_from_stats(*both[0], *both[1:].T, equal_var=False).pvalue
    errors = spreads**2 / counts
    certain = errors[1:] + errors[0] == 0
    return [float(p) for p in np.where(certain, means[1:] == means[0], found)]


def mean_ranks(values: Sequence[Sequence[float]]) -> list[float]:
    """Mean rank of each row over its columns (1 is best, larger values win, ties share).

    Args:
        values: Rows of equal length, without gaps.
    """
    from scipy.stats import rankdata

    if not values:
        return []
    columns = [rankdata([-value for value in column]) for column in zip(*values, strict=True)]
    return [float(sum(ranks) / len(ranks)) for ranks in zip(*columns, strict=True)]
