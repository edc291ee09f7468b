"""Who is best in a column, who is second, and mean ranks over tasks."""

from __future__ import annotations

from dataclasses import dataclass

from simmim_bench.results.aggregate import ColumnKey, Row, Stat, Table
from simmim_bench.results.statistics import mean_ranks, ties

FEWEST = 3  # rows, below which a mean rank says no more than the figures


@dataclass(frozen=True)
class Standing:
    """Numbers of the rows that are best (with ties) and second in one column."""

    best: frozenset[int] = frozenset()
    second: frozenset[int] = frozenset()


def standing(table: Table, key: ColumnKey, name: str) -> Standing:
    """Rank a metric among rows with the same deviations, measured and cited ones apart.

    A row alone is not ranked.

    Best are all that show the largest mean, and all that differ from it by no more than noise
    between seeds.
    """
    rivals: dict[tuple[bool, tuple[str, ...]], dict[int, Stat]] = {}
    for number, row in enumerate(table.rows):
        cell = row.cells.get(key)
        if cell and name in cell.metrics:
            like = row.provenance.kind == "measured", cell.deviations
            rivals.setdefault(like, {})[number] = cell.metrics[name]
    best, second = set[int](), set[int]()
    for stats in rivals.values():
        if len(stats) > 1:
            first = _first(stats)
            best |= first
            others = {number: stat for number, stat in stats.items() if number not in first}
            second |= _largest(others)
    return Standing(frozenset(best), frozenset(second))


def mean_rank_of(table: Table) -> dict[int, float]:
    """Mean rank over the primary metrics of all columns, of rows that have them all.

    Rows with deviations are not ranked; nothing is, where there is one column or few rows.
    """
    primaries = [(key, protocol.primary) for key, protocol in table.columns.items()]
    complete = {
        number: [row.cells[key].metrics[name].mean for key, name in primaries]
        for number, row in enumerate(table.rows)
        if all(_plain(row, key, name) for key, name in primaries)
    }
    if len(primaries) < 2 or len(complete) < FEWEST:
        return {}
    return dict(zip(complete, mean_ranks(list(complete.values())), strict=True))


def _first(stats: dict[int, Stat]) -> set[int]:
    largest = _largest(stats)
    best = max((stats[number] for number in largest), key=lambda stat: stat.n)
    others = [number for number in stats if number not in largest]
    tied = ties(best, [stats[number] for number in others])
    return largest | {number for number, tie in zip(others, tied, strict=True) if tie}


def _largest(stats: dict[int, Stat]) -> set[int]:
    """Rows that show the largest mean."""
    if not stats:
        return set()
    shown = f"{max(stat.mean for stat in stats.values()):.1f}"
    return {number for number, stat in stats.items() if f"{stat.mean:.1f}" == shown}


def _plain(row: Row, key: ColumnKey, name: str) -> bool:
    cell = row.cells.get(key)
    return cell is not None and name in cell.metrics and not cell.deviations
