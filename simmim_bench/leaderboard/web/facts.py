"""Details of a row: where its numbers come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from simmim_bench.leaderboard.aggregate import Cell, Row, Table
from simmim_bench.leaderboard.columns import ColumnKey, label_of
from simmim_bench.leaderboard.costs import describe_cost
from simmim_bench.leaderboard.grid import describe_protocol, show_origin, show_stat
from simmim_bench.leaderboard.metrics import METRICS, decimals_of
from simmim_bench.leaderboard.noise import Noise
from simmim_bench.leaderboard.web.curves import Sparkline, sparklines
from simmim_bench.records.manifest import DataIdentity, Environment
from simmim_bench.records.record import Record
from simmim_bench.records.tuning import Tuning

UNSEALED = "its card has no seal, so what it says of the weights was not checked"

Facts = tuple[tuple[str, str], ...]
"""Labels and texts."""


@dataclass(frozen=True)
class Detail:
    """Facts about a row under one protocol, with its curves."""

    heading: str
    facts: Facts
    curves: tuple[Sparkline, ...]


def facts_of(row: Row) -> Facts:
    """Facts about a pretrained backbone that hold for all its tasks."""
    return tuple(_origin(row))


def detail_of(table: Table, key: ColumnKey, row: Row, noise: Noise | None, curves: bool) -> Detail:
    """Facts about the runs of a row under one protocol.

    Args:
        table: Table of the row.
        key: Its column.
        row: The row, which has a cell in that column.
        noise: Noise between the seeds of the primary metric.
        curves: Whether to draw the learning curves of the first run.
    """
    protocol, cell = table.columns[key], row.cells[key]
    return Detail(
        f"{protocol.task}: {label_of(key, table.columns)}, {describe_protocol(table, key)}",
        tuple(_facts(row, cell, protocol.primary, noise)),
        tuple(sparklines(cell.records[0])) if curves else (),
    )


def _origin(row: Row) -> Iterator[tuple[str, str]]:
    records = [record for cell in row.cells.values() for record in cell.records]
    first = records[0]
    yield "pretraining", show_origin(row.pretraining)
    if row.provenance.kind != "measured":
        yield "provenance", row.provenance.kind
    if row.provenance.table:
        yield "source", row.provenance.table
    configs = dict.fromkeys(str(each) for record in records for each in record.pretraining_configs)
    if configs:
        yield "pretraining config", "; ".join(configs)
    if row.pretraining_deviations:
        yield "pretraining deviates", "; ".join(row.pretraining_deviations)
    if first.pretraining_data:
        yield "pretraining data", describe_data(first.pretraining_data)
    if first.pretraining_precision:
        yield "pretraining precision", first.pretraining_precision
    if any(record.card_sealed is False for record in records):
        yield "backbone", UNSEALED
    if row.pretraining_cost:
        yield "pretraining cost", describe_cost(row.pretraining_cost)


def _facts(row: Row, cell: Cell, primary: str, noise: Noise | None) -> Iterator[tuple[str, str]]:
    stat, records = cell.metrics.get(primary), cell.records
    half = noise.half_width(stat) if noise and stat else None
    if stat and half is not None:
        yield "95 % interval", f"{stat.mean - half:.2f} to {stat.mean + half:.2f}"
    values = [
        f"{record.metrics[primary]:.2f}" + ("" if record.seed is None else f" (seed {record.seed})")
        for record in records
        if primary in record.metrics
    ]
    yield "runs", ", ".join(values)
    cited, of = row.provenance.kind != "measured", records[0].protocol
    others = [
        f"{METRICS.get(name, name)} {show_stat(value, cited=cited, decimals=decimals_of(of, name))}"
        for name, value in cell.metrics.items()
        if name != primary
    ]
    if others:
        yield "other metrics", "; ".join(others)
    if cell.deviations:
        yield "deviations", "; ".join(cell.deviations)
    if cell.tuning:
        yield "tuning", _tuning(cell.tuning)
    yield from _measured(cell)


def _measured(cell: Cell) -> Iterator[tuple[str, str]]:
    """Facts that only measured runs have."""
    first = cell.records[0]
    if first.data:
        yield "data", describe_data(first.data)
    if first.leaks:
        yield "seen in pretraining", "; ".join(first.leaks)
    if cell.precision:
        yield "precision", cell.precision
    if first.config:
        yield "config", str(first.config)
    if cell.cost:
        yield "cost", describe_cost(cell.cost)
        yield "device", cell.cost.device
    if first.environment:
        yield "environment", describe_environments(cell.records)
    yield "records", ", ".join(record.run_id for record in cell.records)


def _tuning(tuning: Tuning) -> str:
    """What was tried, what each trial gave, and what was chosen."""
    scores = [
        f"{', '.join(map(str, trial.values.values()))}: "
        + ("diverged" if trial.score is None else f"{trial.score:.2f}")
        for trial in tuning.trials
    ]
    images = tuning.held_out.images
    return (
        f"{tuning.described()}, {tuning.hours:.2f} h; {tuning.explained()} ({images} images); "
        f"{', '.join(tuning.search)}: {METRICS.get(tuning.metric, tuning.metric)}: "
        f"{'; '.join([*scores, 'chosen: ' + ', '.join(tuning.overrides()), *tuning.at_the_end()])}"
    )


def describe_data(data: DataIdentity) -> str:
    """``Flowers, 1200 images, fingerprint 3fa2c1d0e4b5``."""
    images = f", {data.images} images" if data.images else ""
    return f"{data.name}{images}, fingerprint {data.sha256[:12]}"


def describe_environment(where: Environment, packages: Collection[str] = ()) -> str:
    """``Python 3.11.7, torch 2.14.1, Linux, commit 0123456789ab, with uncommitted changes``.

    Args:
        where: Environment of a run.
        packages: Other packages whose versions are shown.
    """
    parts = [f"Python {where.python}"]
    if where.torch:
        parts.append(f"torch {where.torch}")
    parts += [f"{name} {where.versions.get(name, 'absent')}" for name in packages]
    parts.append(where.platform)
    if where.git_commit:
        parts.append(f"commit {where.git_commit[:12]}")
    if where.git_dirty:
        parts.append("with uncommitted changes")
    return ", ".join(parts)


def describe_environments(records: Iterable[Record]) -> str:
    """Environments of some runs; if they differ, each with its seeds and the differing packages."""
    known = [(record.seed, record.environment) for record in records if record.environment]
    if all(where.__dict__ == known[0][1].__dict__ for _, where in known):  # the usual case
        return describe_environment(known[0][1]) if known else ""
    packages = _differing([where.versions for _, where in known])
    seeds: dict[str, list[str]] = {}
    for seed, where in known:
        seeds.setdefault(describe_environment(where, packages), []).append(str(seed))
    if len(seeds) < 2:
        return "".join(seeds)
    return "; ".join(f"seed {', '.join(some)}: {text}" for text, some in seeds.items())


def _differing(versions: list[dict[str, str]]) -> list[str]:
    """Packages whose versions differ."""
    names = sorted({name for some in versions for name in some} - {"torch"})
    return [name for name in names if len({some.get(name) for some in versions}) > 1]
