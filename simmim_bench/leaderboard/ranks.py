"""Mean ranks over tasks: their intervals, and which of them differ.

Methods are ranked within their backbone, on the primary metrics of all columns. Friedman's test
asks whether any method differs, Nemenyi's critical difference which ones do (Demšar 2006,
https://jmlr.org/papers/v7/demsar06a.html).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simmim_bench.leaderboard.aggregate import Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.noise import LEVEL, Noise, studentized_range
from simmim_bench.leaderboard.statistics import noise_of

MIN_RANKED_ROWS = 3
"""With fewer rows, a mean rank says no more than the metrics themselves."""
DRAWS = 1000
"""Of the bootstrap."""


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of the rows of one backbone, best first.

    Attributes:
        rows: Those that have the primary metric of every column, without deviations. Tuned runs
            count in columns in which all have the same search.
        means: Mean rank of each row; 1 is best.
        intervals: 95 % of each mean rank, over tasks and seeds.
        tasks: Number of columns.
        difference: Least difference of mean ranks that Nemenyi's test tells apart at 5 %.
        p: Of Friedman's test, that all rows are alike; None for fewer columns than two.
    """

    backbone: str
    rows: tuple[Row, ...]
    means: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    tasks: int
    difference: float
    p: float | None

    @property
    def can_tell_apart(self) -> bool:
        """Whether the largest difference that can occur exceeds the critical one."""
        return self.difference < len(self.rows) - 1


def rankings(table: Table) -> list[Ranking]:
    """Rankings of the backbones of a table.

    Returns:
        One for each backbone, of the largest set of its rows that are compared in all columns; none
        of fewer than ``MIN_RANKED_ROWS`` rows, nor of a table with one column.
    """
    primaries = [(key, protocol.primary) for key, protocol in table.columns.items()]
    if len(primaries) < 2:
        return []
    groups: dict[tuple[str, Hashable], dict[Row, list[Stat]]] = {}
    for row in table.rows:
        if all(_has_plain(row, key, name) for key, name in primaries):
            stats = [row.cells[key].metrics[name] for key, name in primaries]
            conditions = tuple(row.cells[key].conditions for key, _ in primaries)
            groups.setdefault((row.backbone, conditions), {})[row] = stats
    largest: dict[str, dict[Row, list[Stat]]] = {}
    for (backbone, _), found in groups.items():
        largest[backbone] = max(largest.get(backbone, {}), found, key=len)
    noises = [noise_of(table, key, name) for key, name in primaries]
    return [
        _ranking(backbone, stats, noises)
        for backbone, stats in largest.items()
        if len(stats) >= MIN_RANKED_ROWS
    ]


def _ranking(
    backbone: str, stats: dict[Row, list[Stat]], noises: Sequence[Noise | None]
) -> Ranking:
    import numpy as np

    rows, tasks = list(stats), len(noises)
    means = mean_ranks([[stat.mean for stat in some] for some in stats.values()])
    order = sorted(range(len(rows)), key=lambda number: means[number])
    low, high = np.quantile(
        _draws(list(stats.values()), noises), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0
    )
    return Ranking(
        backbone,
        rows=tuple(rows[number] for number in order),
        means=tuple(means[number] for number in order),
        intervals=tuple((float(low[number]), float(high[number])) for number in order),
        tasks=tasks,
        difference=critical_difference(len(rows), tasks),
        p=_friedman(means, tasks),
    )


def _draws(stats: Sequence[Sequence[Stat]], noises: Sequence[Noise | None]) -> Any:
    """Mean ranks, (draws, rows), of tasks drawn with replacement and means drawn with their noise.

    Two or three seeds cannot be drawn from: a mean is drawn from its normal distribution instead.
    """
    import numpy as np
    from scipy.stats import rankdata

    means = np.array([[stat.mean for stat in some] for some in stats])
    errors = np.array(
        [
            [
                math.sqrt(noise.variance_of(stat) / stat.n) if noise else 0.0
                for stat, noise in zip(some, noises, strict=True)
            ]
            for some in stats
        ]
    )
    generator = np.random.default_rng(0)
    tasks = generator.integers(len(noises), size=(DRAWS, 1, len(noises)))
    drawn = generator.normal(means, errors, (DRAWS, *means.shape))
    return rankdata(-np.take_along_axis(drawn, tasks, axis=2), axis=1).mean(axis=2)


def mean_ranks(values: Sequence[Sequence[float]]) -> list[float]:
    """Mean rank of each row over its columns (1 is best, larger values win, ties share).

    Args:
        values: Rows of equal length, without gaps.
    """
    import numpy as np
    from scipy.stats import rankdata

    if not values:
        return []
    found: list[float] = rankdata(-np.array(values), axis=0).mean(axis=1).tolist()
    return found


def critical_difference(rows: int, tasks: int) -> float:
    """Nemenyi's least difference of two of ``rows`` mean ranks over ``tasks`` tasks, at 5 %."""
    return studentized_range(rows, math.inf) * math.sqrt(rows * (rows + 1) / (6 * tasks))


def _friedman(means: Sequence[float], tasks: int) -> float:
    """P value of Friedman's test by Iman and Davenport's F distribution, from mean ranks."""
    from scipy.special import fdtrc

    rows = len(means)
    middle = (rows + 1) / 2
    chi = 12 * tasks / (rows * (rows + 1)) * sum((mean - middle) ** 2 for mean in means)
    left = tasks * (rows - 1) - chi
    if left <= 1e-9:  # the same order in every task: as likely as all others, of rows! per task
        return float(math.factorial(rows)) ** (1 - tasks)
    return float(fdtrc(rows - 1, (rows - 1) * (tasks - 1), (tasks - 1) * chi / left))


def alike(ranking: Ranking) -> Iterator[tuple[int, int]]:
    """First and last place of each longest run of rows that are not told apart."""
    last = -1
    for first, mean in enumerate(ranking.means):
        end = max(
            place for place, other in enumerate(ranking.means) if other - mean <= ranking.difference
        )
        if end > max(first, last):
            yield first, end
            last = end


def _has_plain(row: Row, key: ColumnKey, name: str) -> bool:
    """Whether a row has the metric, measured without deviations."""
    cell = row.cells.get(key)
    if row.provenance.kind != "measured" or cell is None or name not in cell.metrics:
        return False
    return not cell.deviations
