"""Which rows of a column are best, which cannot be told from them, and gains over scratch."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import Row, Stat, Table, are_comparable
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.records import SCRATCH


@dataclass(frozen=True)
class Standing:
    """Rows of one column by what they are.

    Attributes:
        best: With the largest mean, as it is shown, of their backbone; of cited ones, of all.
        top: The best of several backbones.
        near: Not told apart from the best of their backbone by more than the noise between seeds.
        rivals: Number of rows of the largest group of measured rows that competes.
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
    rivals = max((len(some) for some in competing if all(map(_is_measured, some))), default=0)
    return Standing(frozenset(best), frozenset(top), frozenset(near), rivals)


@dataclass(frozen=True)
class Gain:
    """Points above scratch; the interval is None if a run is single or cited."""

    points: float
    interval: tuple[float, float] | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the interval excludes zero."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def gains_of(table: Table, key: ColumnKey, name: str) -> dict[Row, Gain]:
    """Gains over training the same backbone from scratch under the same conditions.

    Scratch is a control that is named beforehand. Intervals of all rows that are compared with it
    hold together at 95 % (Dunnett), on the noise between the seeds of the column.
    """
    bases = [row for row in table.rows if row.method == SCRATCH and key in row.cells]
    return {row: gain for base in bases for row, gain in _gains(table, base, key, name).items()}


def _gains(table: Table, base: Row, key: ColumnKey, name: str) -> dict[Row, Gain]:
    theirs = base.cells[key].metrics.get(name)
    compared = {
        row: row.cells[key].metrics[name]
        for row in table.rows
        if row.method != SCRATCH
        and are_comparable(row, base, key)
        and name in row.cells[key].metrics
    }
    if theirs is None or not compared:
        return {}
    noise = noise_of(table, key, name) if _is_measured(base) else None
    repeated = {row: stat for row, stat in compared.items() if stat.sd is not None}
    if noise is None or theirs.sd is None or not repeated:
        return {row: Gain(stat.mean - theirs.mean) for row, stat in compared.items()}
    reach = noise.reaches(theirs, list(repeated.values()))
    intervals = {
        row: (stat.mean - theirs.mean - far, stat.mean - theirs.mean + far)
        for (row, stat), far in zip(repeated.items(), reach, strict=True)
    }
    return {
        row: Gain(stat.mean - theirs.mean, intervals.get(row)) for row, stat in compared.items()
    }


def least_differences(table: Table) -> dict[ColumnKey, tuple[float, int]]:
    """Smallest difference of primary metrics that is told apart, in points, and for how many seeds.

    It holds for rows of usual noise in the largest group of rivals. Columns where nothing is
    compared, or single runs, have none.
    """
    found = {}
    for key, protocol in table.columns.items():
        noise = noise_of(table, key, protocol.primary)
        place = standing(table, key, protocol.primary)
        seeds = [
            len(row.cells[key].records)
            for row in table.rows
            if _is_measured(row) and row in place.best | place.near
        ]
        usual = max(set(seeds), key=seeds.count, default=1)
        if noise is not None and usual > 1:
            found[key] = noise.least_difference(usual, place.rivals), usual
    return found


def _largest(stats: dict[Row, Stat]) -> set[Row]:
    """Rows whose mean, as it is shown, is the largest."""
    shown = f"{max(stat.mean for stat in stats.values()):.1f}"
    return {row for row, stat in stats.items() if f"{stat.mean:.1f}" == shown}


def _is_measured(row: Row) -> bool:
    return row.provenance.kind == "measured"
