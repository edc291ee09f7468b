"""What each start of a study gives and costs: a panel a task, with all seeds.

    python -m benchmarks.study results/study/records --picture docs/images/study.png

It prints the hashes of the exported backbones, too.

Means have 95 % confidence intervals by the noise between seeds of the whole column, as in the
tables (``simmim_bench.leaderboard.noise``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.evaluation.recipes import PROBES
from simmim_bench.leaderboard.aggregate import Table, aggregate
from simmim_bench.leaderboard.columns import ColumnKey
from simmim_bench.leaderboard.metrics import with_unit
from simmim_bench.leaderboard.statistics import noise_of
from simmim_bench.records.record import Record
from simmim_bench.records.store import read_records

DIGITS = 16
"""Of a hash that is shown."""


def draw(table: Table, path: Path) -> None:
    """A panel for each task that is not a probe: result against minutes of pretraining."""
    from simmim_bench.plots import new_figure, save_figure

    keys = [key for key, protocol in table.columns.items() if not is_probe(protocol.id)]
    figure = new_figure(width=5.2 * len(keys), height=4)
    for axes, key in zip(figure.subplots(1, len(keys), squeeze=False).flat, keys, strict=True):
        _panel(axes, table, key)
    save_figure(figure, path)


def is_probe(name: str) -> bool:
    """Whether a protocol is of a probe of the demo."""
    return name in {f"demo-{probe}" for probe in PROBES}


def _panel(axes: Any, table: Table, key: ColumnKey) -> None:
    protocol = table.columns[key]
    metric = protocol.primary
    noise = noise_of(table, key, metric)
    for row in table.rows:
        if key not in row.cells:
            continue
        cell = row.cells[key]
        minutes = row.pretraining_cost.minutes if row.pretraining_cost else 0.0
        stat = cell.metrics[metric]
        reach = noise.half_width(stat) if noise else None
        drawn = axes.errorbar(minutes, stat.mean, reach, fmt="o", capsize=3)
        values = [record.metrics[metric] for record in cell.records]
        colour = drawn.lines[0].get_color()
        axes.plot([minutes] * len(values), values, "_", color=colour, markersize=12)
        axes.annotate(
            row.method, (minutes, stat.mean), xytext=(8, 4), textcoords="offset points",
            color=colour,
        )  # fmt: skip
    axes.set(
        xlabel="pretraining, minutes on one core",
        ylabel=f"{protocol.task}: {with_unit(metric)}",
    )
    axes.margins(x=0.25)
    axes.set_xlim(left=-0.5)
    axes.grid(alpha=0.3)


def hashes(records: Sequence[Record]) -> str:
    """Markdown table of the first digits of the SHA-256 of each exported backbone."""
    known = {
        (record.method, record.seed): (record.pretraining.checkpoint_sha256 or "")[:DIGITS]
        for record in records
        if record.pretraining
    }
    seeds = sorted({seed for _, seed in known})
    lines = [f"| backbone | {' | '.join(f'seed {seed}' for seed in seeds)} |"]
    lines.append(f"|---|{'---|' * len(seeds)}")
    for method in dict.fromkeys(method for method, _ in known):
        cells = (f"`{known[method, seed]}`" if (method, seed) in known else "" for seed in seeds)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def run() -> None:
    """Draw the figure and print the hashes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("records", type=Path, help="store of records of one study")
    parser.add_argument("--picture", type=cli.output_file, metavar="FILE", required=True)
    args = parser.parse_args()
    records = read_records(args.records)
    draw(aggregate(records)[0], args.picture)
    print(hashes(records))


if __name__ == "__main__":
    cli.main(run)
