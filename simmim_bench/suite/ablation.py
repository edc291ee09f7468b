"""Results of an ablation suite along its axes: means over seeds from the suite's records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import Row, Stat, aggregate
from simmim_bench.records.store import read_records
from simmim_bench.suite.axes import variants
from simmim_bench.suite.schema import Pretrain, Suite

MOST_AXES = 3
Place = tuple[str, ...]  # one label per axis


@dataclass(frozen=True)
class Block:
    """Results of one entry of the suite; a combination without a record has no cell."""

    entry: str
    axes: dict[str, list[str]]
    cells: dict[Place, Stat]


@dataclass(frozen=True)
class Ablation:
    """One task's primary metric; ``references`` are methods without axes, by name."""

    task: str
    metric: str
    backbone: str
    blocks: list[Block]
    references: dict[str, Stat]


def read_ablation(suite: Suite, folder: Path) -> list[Ablation]:
    """Results of every task and backbone of ``suite``.

    Args:
        suite: A suite with axes.
        folder: Its work dir; records are read from ``results/records`` below it.

    Raises:
        BenchError: If the suite has no axes or too many, nothing has been recorded, or one
            method has results that may not be averaged.
    """
    entries = {name: step for name, step in suite.pretrain.items() if step.axes}
    if not entries:
        raise BenchError(f"suite {suite.name} has no axes; ablations have, see configs/suites")
    for name, step in entries.items():
        if len(step.axes) > MOST_AXES:
            raise BenchError(
                f"pretrain.{name} has {len(step.axes)} axes, at most {MOST_AXES} can be drawn; "
                f"write it as several entries"
            )
    found = []
    for table in aggregate(read_records(folder / "results" / "records")):
        for key, protocol in table.columns.items():
            for backbone in suite.backbones:
                rows = [row for row in table.rows if row.backbone == backbone]
                stats = _stats(rows, key, protocol.primary)
                blocks = [_block(name, step, stats) for name, step in entries.items()]
                plain = [name for name in (*suite.baselines, *suite.pretrain) if name in stats]
                references = {name: stats[name] for name in plain}
                found.append(
                    Ablation(protocol.task, protocol.primary, backbone, blocks, references)
                )
    return found


def _block(name: str, step: Pretrain, stats: dict[str, Stat]) -> Block:
    return Block(
        entry=name,
        axes={axis: list(choice) for axis, choice in step.axes.items()},
        cells={
            tuple(variant.values.values()): stats[variant.method]
            for variant in variants(name, step.config, step.overrides, step.axes)
            if variant.method in stats
        },
    )


def _stats(rows: list[Row], key: tuple[str, int], metric: str) -> dict[str, Stat]:
    """One metric by method, under the protocol ``key``."""
    found: dict[str, Stat] = {}
    for row in rows:
        cell = row.cells.get(key)
        if cell is None:
            continue
        if row.method in found:
            raise BenchError(
                f"{row.method} has results under several settings, which may not be averaged; "
                f"give the suite a work dir of its own with --work-dir"
            )
        if metric in cell.metrics:
            found[row.method] = cell.metrics[metric]
    return found
