"""Noise between seeds: its estimate, intervals, and which means differ by more.

A row has two or three seeds, whose own spread says little. The variance is therefore estimated over
all rows of a column, by empirical Bayes (Smyth 2004, doi:10.2202/1544-6115.1027, as in limma): each
row's own variance is averaged with that of all, with a weight that follows from how alike they are.
Rows are compared with the best, which the data choose, by Tukey's studentised range, which allows
for every pair. ``benchmarks/seeds.py`` simulates the error rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from simmim_bench.leaderboard.aggregate import Stat

LEVEL = 0.95
NODES = 64
"""Of Gauss' quadrature."""
SIGNIFICANCE = 0.05
MIN_VARIANCES = 3
"""With fewer rows, how much variances differ is unknown, and all are taken to be equal."""
CAUTION = 0.5
"""Share of the estimated weight that is used: a weight from few rows is too large too often."""
SMALLEST = 1e-3
"""Least variance, as a share of the median, so that runs without spread have a logarithm."""
MOST = 1e6
"""Weight from which rows are taken to vary alike."""


@dataclass(frozen=True)
class Difference:
    """``ours - theirs`` in points; interval and p are None if one of them is a single run."""

    points: float
    interval: tuple[float, float] | None
    p: float | None


@dataclass(frozen=True)
class Noise:
    """Variance between seeds of the rows of a column.

    Attributes:
        variance: What rows have in common.
        weight: Its degrees of freedom beside the row's own; infinite if all rows vary alike.
        freedom: Degrees of freedom of all rows together, which no estimate exceeds.
    """

    variance: float
    weight: float
    freedom: float

    @classmethod
    def of(cls, stats: Iterable[Stat]) -> Noise | None:
        """Estimate it; None if every row is a single run, or its runs have equal values."""
        import numpy as np

        known = [(stat.sd**2, stat.n - 1) for stat in stats if stat.sd is not None]
        if not any(variance for variance, _ in known):
            return None
        variances, freedoms = np.array(known, float).T
        total = float(freedoms.sum())
        pooled = float(variances @ freedoms) / total
        if len(known) < MIN_VARIANCES:
            return cls(pooled, math.inf, total)
        common, weight = _prior(variances, freedoms)
        if weight == math.inf:
            return cls(pooled, math.inf, total)
        return cls(common, CAUTION * weight, total)

    def variance_of(self, stat: Stat) -> float:
        """Variance between the seeds of one row."""
        if stat.sd is None or self.weight == math.inf:
            return self.variance
        own = stat.n - 1
        return (self.weight * self.variance + own * stat.sd**2) / (self.weight + own)

    def freedom_of(self, stat: Stat) -> float:
        """Degrees of freedom of that variance."""
        return min(self.weight + stat.n - 1, self.freedom)

    def error(self, ours: Stat, theirs: Stat) -> float:
        """Standard error of a difference of two means."""
        return math.sqrt(self.variance_of(ours) / ours.n + self.variance_of(theirs) / theirs.n)

    def half_width(self, stat: Stat) -> float | None:
        """Half of the 95 % confidence interval of a mean; None for a single run."""
        if stat.sd is None:
            return None
        return _quantile(self.freedom_of(stat)) * math.sqrt(self.variance_of(stat) / stat.n)

    def difference(self, ours: Stat, theirs: Stat) -> Difference:
        """Difference of two means that were named beforehand, by Student's t."""
        points = ours.mean - theirs.mean
        if ours.sd is None or theirs.sd is None:
            return Difference(points, None, None)
        from scipy.special import stdtr

        error = self.error(ours, theirs)
        freedom = min(self.freedom_of(ours), self.freedom_of(theirs))
        reach = _quantile(freedom) * error
        p = 2 * float(stdtr(freedom, -abs(points) / error))
        return Difference(points, (points - reach, points + reach), p)

    def are_told_apart(self, ours: Stat, theirs: Stat, rows: int) -> bool:
        """Whether two means of ``rows`` that compete differ by more than noise; not single runs."""
        if ours.sd is None or theirs.sd is None:
            return False
        freedom = min(self.freedom_of(ours), self.freedom_of(theirs))
        return abs(ours.mean - theirs.mean) > _range(rows, freedom) * self.error(ours, theirs)

    def reaches(self, control: Stat, others: Sequence[Stat]) -> list[float]:
        """Half widths of simultaneous 95 % intervals of ``others - control`` (Dunnett 1955).

        Args:
            control: Repeated runs, named beforehand.
            others: Repeated runs of rows that are compared with it.
        """
        freedom = min(self.freedom_of(stat) for stat in (control, *others))
        own = [self.variance_of(stat) / stat.n for stat in others]
        shared = self.variance_of(control) / control.n
        loads = (min(math.sqrt(shared / (shared + each)), 0.999) for each in own)
        quantile = _dunnett(
            tuple(sorted(round(load, 3) for load in loads)), max(1, math.floor(freedom))
        )
        return [quantile * math.sqrt(shared + each) for each in own]

    def least_difference(self, seeds: int, rows: int) -> float:
        """Points from which two of ``rows`` means over ``seeds`` runs are told apart."""
        freedom = min(self.weight + seeds - 1, self.freedom)
        return _range(rows, freedom) * math.sqrt(2 * self.variance / seeds)


def _prior(variances: Any, freedoms: Any) -> tuple[float, float]:
    """Variance and degrees of freedom of the distribution of variances, by their logarithms."""
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    floor = SMALLEST * float(np.median(variances[variances > 0]))
    logs = np.log(np.maximum(variances, floor))
    centred = logs - digamma(freedoms / 2) + np.log(freedoms / 2)
    excess = float(np.var(centred, ddof=1) - polygamma(1, freedoms / 2).mean())
    if excess <= polygamma(1, MOST / 2):
        return math.nan, math.inf
    half = brentq(lambda half: polygamma(1, half) - excess, 1e-6, MOST)
    return float(np.exp(centred.mean() + digamma(half) - np.log(half))), 2 * half


@cache
def _quantile(freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _range(rows: int, freedom: float) -> float:
    """Standard errors of a difference from which the most distant of ``rows`` means differ."""
    return studentized_range(rows, max(1, math.floor(freedom)))


@cache  # of whole degrees of freedom, rounded down: a value takes 0.2 s
def studentized_range(rows: int, freedom: float) -> float:
    """The 95 % quantile of the studentised range, over the square root of two."""
    from scipy import stats

    return float(stats.studentized_range.ppf(LEVEL, rows, freedom)) / math.sqrt(2)


@cache
def _dunnett(loads: tuple[float, ...], freedom: float) -> float:
    """Standard errors that the largest of some differences from a control exceeds in 5 % of cases.

    Given the control's error and the estimate of the noise, differences are independent normal
    variables; both are integrated by Gauss' quadrature, as scipy's multivariate t distribution is
    slow for many rows.

    Args:
        loads: Share of the control's standard error in that of each difference; the correlation of
            two differences is the product of theirs.
        freedom: Degrees of freedom of the noise.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import gammaincinv, ndtr, roots_hermitenorm, roots_legendre

    shared, weights = roots_hermitenorm(NODES)
    weights = weights / weights.sum()
    levels, level_weights = roots_legendre(NODES)
    scales = np.sqrt(gammaincinv(freedom / 2, (levels + 1) / 2) / (freedom / 2))
    load, counts = np.unique(loads, return_counts=True)
    rest = np.sqrt(1 - load**2)

    def within(reach: float) -> float:
        bound, centre = reach * scales[:, None, None], load * shared[:, None]
        each = ndtr((bound - centre) / rest) - ndtr((-bound - centre) / rest)
        return float(level_weights / 2 @ np.prod(each**counts, axis=2) @ weights) - LEVEL

    return float(brentq(within, 0.1, 1000.0, xtol=1e-4))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for multiple comparisons by Holm's step-down method."""
    import numpy as np

    given = np.array(p_values, float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty(len(given))
    corrected[order] = np.minimum(stepped, 1)
    found: list[float] = corrected.tolist()
    return found
