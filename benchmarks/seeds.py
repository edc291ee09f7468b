"""How often a table claims a difference that is not there, and how often it finds one that is.

Tables of rows with a few seeds are drawn at random. Without a true difference, a false claim is any
row that is told apart from the best one. With one row that is better by ``--gain`` standard
deviations, power is the share of the others that are told apart from it. Beside the leaderboard's
method: Tukey's test with one pooled variance, and Welch's tests with Holm's correction.

A second table is about gains over scratch, without a true gain: the share of tables in which the
interval of a gain excludes zero, which is how often a claim of any gain would be false.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import stats

from simmim_bench import cli
from simmim_bench.leaderboard.aggregate import Stat
from simmim_bench.leaderboard.noise import SIGNIFICANCE, Noise, holm

SEEDS, ROWS = (2, 3, 5), (5, 10, 20, 40)
SPREADS = {"equal": 0.0, "within a factor of 3": 0.5}
"""Standard deviation of the logarithm of each row's own standard deviation."""


def run() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=cli.positive, default=1000, help="of each kind")
    parser.add_argument("--gain", type=float, default=5.0, help="in standard deviations")
    args = parser.parse_args()
    print("| variances | seeds | rows | " + " | ".join(f"{name}" for name in METHODS) + " |")
    print("|---|---:|---:|" + "---:|" * len(METHODS))
    for label, spread in SPREADS.items():
        for seeds in SEEDS:
            for rows in ROWS:
                shown = [
                    f"{wrong:.1%}, {found:.0%}"
                    for wrong, found in rates(spread, seeds, rows, args.tables, args.gain)
                ]
                print(f"| {label} | {seeds} | {rows} | " + " | ".join(shown) + " |", flush=True)
    print("\n| variances | seeds | " + " | ".join(f"{rows} rows" for rows in ROWS) + " |")
    print("|---|---:|" + "---:|" * len(ROWS))
    for label, spread in SPREADS.items():
        for seeds in SEEDS:
            shares = (false_gains(spread, seeds, rows, args.tables) for rows in ROWS)
            shown = [f"{share:.1%}" for share in shares]
            print(f"| {label} | {seeds} | " + " | ".join(shown) + " |", flush=True)


def false_gains(spread: float, seeds: int, rows: int, tables: int) -> float:
    """Share of tables of ``rows`` and scratch in which a gain is claimed, though there is none."""
    generator = np.random.default_rng([1, seeds, rows, round(10 * spread)])
    wrong = 0
    for _ in range(tables):
        scratch, *others = _rows(generator, spread, rows + 1, seeds)
        table = [_stat(row) for row in (scratch, *others)]
        noise = Noise.of(table)
        reaches = noise.reaches(table[0], table[1:]) if noise else []
        gains = (abs(stat.mean - table[0].mean) for stat in table[1:])
        wrong += any(gain > reach for gain, reach in zip(gains, reaches, strict=True))
    return wrong / tables


def rates(
    spread: float, seeds: int, rows: int, tables: int, gain: float
) -> Iterator[tuple[float, float]]:
    """Share of tables with a false claim, and power, of each method."""
    generator = np.random.default_rng([seeds, rows, round(10 * spread)])
    wrong, found = np.zeros(len(METHODS)), np.zeros(len(METHODS))
    for _ in range(tables):
        runs = _rows(generator, spread, rows, seeds)
        better = runs + gain * (np.arange(rows) == 0)[:, None]
        for number, method in enumerate(METHODS.values()):
            wrong[number] += any(method(_by_mean(runs)))
            found[number] += np.mean(method(_by_mean(better)))
    yield from zip(wrong / tables, found / tables, strict=True)


def ours(table: list[Stat]) -> list[bool]:
    """The leaderboard's method."""
    noise = Noise.of(table)
    return [
        noise is not None and noise.are_told_apart(table[0], stat, len(table)) for stat in table[1:]
    ]


def pooled(table: list[Stat]) -> list[bool]:
    """Tukey's test with one variance for all rows."""
    known = [(stat.sd or 0.0, stat.n - 1) for stat in table]
    freedom = sum(n for _, n in known)
    noise = Noise(sum(sd**2 * n for sd, n in known) / freedom, np.inf, freedom)
    return [noise.are_told_apart(table[0], stat, len(table)) for stat in table[1:]]


def welch(table: list[Stat]) -> list[bool]:
    """Welch's test of each row against the best, Holm's correction."""
    best, *others = table
    p_values = [
        stats.ttest_ind_from_stats(
            best.mean, best.sd, best.n, other.mean, other.sd, other.n, equal_var=False
        ).pvalue
        for other in others
    ]
    return [p < SIGNIFICANCE for p in holm(p_values)]


METHODS: dict[str, Callable[[list[Stat]], list[bool]]] = {
    "leaderboard": ours,
    "one variance": pooled,
    "Welch and Holm": welch,
}


def _rows(generator: np.random.Generator, spread: float, rows: int, seeds: int) -> Any:
    """Runs of rows that do not differ, (rows, seeds); each row has a noise of its own."""
    deviations = np.exp(generator.normal(0, spread, (rows, 1)))
    return generator.normal(0, 1, (rows, seeds)) * deviations


def _stat(row: Any) -> Stat:
    return Stat(float(row.mean()), float(row.std(ddof=1)), len(row))


def _by_mean(runs: Any) -> list[Stat]:
    """Rows, the best first."""
    return sorted(map(_stat, runs), key=lambda stat: -stat.mean)


if __name__ == "__main__":
    cli.main(run)
