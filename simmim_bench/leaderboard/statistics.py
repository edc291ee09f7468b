"""Statistics of means over seeds: Welch's test, Holm's correction, intervals, best rows and ranks.

They are computed with NumPy for thousands of rows at once; the tests compare them with the
functions of SciPy and statsmodels.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache

from simmim_bench.leaderboard.aggregate import Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey

LEVEL = 0.95
SIGNIFICANCE = 0.05
MIN_RANKED_ROWS = 3
"""With fewer rows, a mean rank says no more than the metrics themselves."""


@dataclass(frozen=True)
class Difference:
    """``ours - theirs`` in points; interval and p are None if one of them is a single run."""

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
    """Which rivals differ from the best by no more than the noise between seeds.

    A single run is assumed to vary as much as the result it is compared with. Two single runs
    never tie: nothing is known about their variance.
    """
    known = [n for n, rival in enumerate(rivals) if best.sd is not None or rival.sd is not None]
    if not known:
        return [False] * len(rivals)
    *_, p_values = _welch(best, [rivals[number] for number in known])
    corrected = zip(known, holm(p_values), strict=True)
    tied = {number for number, p in corrected if p >= SIGNIFICANCE}
    return [number in tied for number in range(len(rivals))]


def _welch(one: Stat, others: Sequence[Stat]) -> tuple[list[float], list[float], list[float]]:
    """Standard errors of differences, degrees of freedom, two-sided p values.

    At least one standard deviation of each pair must be known; it replaces the missing one of a
    single run. Without any spread, p is 1 for equal means and 0 for others.
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
    """P values corrected for multiple comparisons by Holm's step-down method."""
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


@dataclass(frozen=True)
class Standing:
    """Rows that are best (with ties) and second in one column."""

    best: frozenset[Row] = frozenset()
    second: frozenset[Row] = frozenset()


def standing(table: Table, key: ColumnKey, name: str) -> Standing:
    """Best and second rows of a metric.

    Rows compete with rows of the same deviations and precision; measured and cited ones compete
    separately. A row without rivals is not ranked. Best are the rows with the largest mean as it is
    shown, and those that differ from it by no more than the noise between seeds.
    """
    rivals: dict[Hashable, dict[Row, Stat]] = {}
    for row in table.rows:
        cell = row.cells.get(key)
        if cell and name in cell.metrics:
            group = row.provenance.kind == "measured", cell.conditions
            rivals.setdefault(group, {})[row] = cell.metrics[name]
    best, second = set[Row](), set[Row]()
    for stats in rivals.values():
        if len(stats) > 1:
            first = _best(stats)
            best |= first
            second |= _largest({row: stat for row, stat in stats.items() if row not in first})
    return Standing(frozenset(best), frozenset(second))


def mean_rank_of(table: Table) -> dict[Row, float]:
    """Mean rank over the primary metrics of all columns, for rows that have all of them.

    Rows with deviations are not ranked. The result is empty for one column or fewer than
    ``MIN_RANKED_ROWS`` rows.
    """
    primaries = [(key, protocol.primary) for key, protocol in table.columns.items()]
    complete = {
        row: [row.cells[key].metrics[name].mean for key, name in primaries]
        for row in table.rows
        if all(_has_plain(row, key, name) for key, name in primaries)
    }
    if len(primaries) < 2 or len(complete) < MIN_RANKED_ROWS:
        return {}
    return dict(zip(complete, mean_ranks(list(complete.values())), strict=True))


def _best(stats: dict[Row, Stat]) -> set[Row]:
    """Rows with the largest mean, and those tied with the one that has most seeds and spread."""
    largest = _largest(stats)
    leaders = [stat for row, stat in stats.items() if row in largest]
    best = max(leaders, key=lambda stat: (stat.n, stat.sd or 0.0))
    others = [row for row in stats if row not in largest]
    tied = ties(best, [stats[row] for row in others])
    return largest | {row for row, tie in zip(others, tied, strict=True) if tie}


def _largest(stats: dict[Row, Stat]) -> set[Row]:
    """Rows whose mean, as it is shown, is the largest."""
    if not stats:
        return set()
    shown = f"{max(stat.mean for stat in stats.values()):.1f}"
    return {row for row, stat in stats.items() if f"{stat.mean:.1f}" == shown}


def _has_plain(row: Row, key: ColumnKey, name: str) -> bool:
    """Whether a row has the metric, measured without deviations."""
    cell = row.cells.get(key)
    return cell is not None and name in cell.metrics and not cell.deviations
