"""Which rows of a column are best, which cannot be told from them, and ranks over columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import Row, Stat, Table
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.noise import Noise

MIN_RANKED_ROWS = 3
"""With fewer rows, a mean rank says no more than the metrics themselves."""


@dataclass(frozen=True)
class Standing:
    """Rows of one column by what they are.

    Attributes:
        best: With the largest mean, as it is shown, of their backbone; of cited ones, of all.
        top: The best of several backbones.
        near: Not told apart from the best of their backbone by more than the noise between seeds.
        rivals: Number of rows of the largest group that competes.
    """

    best: frozenset[Row] = frozenset()
    top: frozenset[Row] = frozenset()
    near: frozenset[Row] = frozenset()
    rivals: int = 0


def noise_of(table: Table, key: ColumnKey, name: str) -> Noise | None:
    """Noise between the seeds of a metric, over all measured rows of a column."""
    cells = [row.cells[key] for row in table.rows if _is_measured(row) and key in row.cells]
    return Noise.of(cell.metrics[name] for cell in cells if name in cell.metrics)


def standing(table: Table, key: ColumnKey, name: str) -> Standing:
    """Best rows of a metric, and those that are not told apart from them.

    Measured rows compete with rows of the same deviations and precision, within their backbone and
    for the top of all backbones. Cited ones compete among themselves. A row without rivals has no
    place.
    """
    noise = noise_of(table, key, name)
    groups: dict[Hashable, dict[Row, Stat]] = {}
    wider: dict[Hashable, dict[Row, Stat]] = {}
    for row in table.rows:
        cell = row.cells.get(key)
        if cell and name in cell.metrics:
            conditions = cell.conditions if _is_measured(row) else None
            backbone = row.backbone if _is_measured(row) else None
            groups.setdefault((conditions, backbone), {})[row] = cell.metrics[name]
            wider.setdefault(conditions, {})[row] = cell.metrics[name]
    competing = [stats for stats in groups.values() if len(stats) > 1]
    best, near = set[Row](), set[Row]()
    for stats in competing:
        first = _largest(stats)
        best |= first
        if noise is not None and all(map(_is_measured, stats)):
            leader = max((stats[row] for row in first), key=lambda stat: (stat.n, stat.mean))
            near |= {
                row
                for row, stat in stats.items()
                if row not in first and not noise.are_told_apart(leader, stat, len(stats))
            }
    top = set[Row]()
    for stats in wider.values():
        if len({row.backbone for row in stats if _is_measured(row)}) > 1:
            top |= _largest(stats)
    rivals = max(map(len, competing), default=0)
    return Standing(frozenset(best), frozenset(top), frozenset(near), rivals)


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


def _largest(stats: dict[Row, Stat]) -> set[Row]:
    """Rows whose mean, as it is shown, is the largest."""
    shown = f"{max(stat.mean for stat in stats.values()):.1f}"
    return {row for row, stat in stats.items() if f"{stat.mean:.1f}" == shown}


def _is_measured(row: Row) -> bool:
    return row.provenance.kind == "measured"


def _has_plain(row: Row, key: ColumnKey, name: str) -> bool:
    """Whether a row has the metric, measured without deviations."""
    cell = row.cells.get(key)
    return cell is not None and name in cell.metrics and not cell.deviations
