"""Whether probes of frozen features predict what fine-tuning gives, over the runs of a store.

    python -m benchmarks.prediction results/study/records --picture docs/images/prediction.png

For each probe and each fine-tuned task: Spearman's rank correlation of their primary metrics over
all starts (method and seed) that have both, and a 95 % interval. It comes from a bootstrap that
draws methods, each with all of its seeds, since seeds of a method are alike: as many independent
points as methods, not as runs.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError
from simmim_bench.evaluation.recipes import PROBES
from simmim_bench.records.record import Record
from simmim_bench.records.store import read_records

DRAWS = 10_000
LEAST = 4
"""Methods; with fewer a rank correlation says nothing."""
LEVEL = 95  # percent
HEADER = "| probe | of | Spearman | 95 % | starts | methods |\n|---|---|---:|---|---:|---:|"

Start = tuple[str, int]
"""Method and seed."""


@dataclass(frozen=True)
class Agreement:
    """Of one probe and one fine-tuned task.

    Attributes:
        probe: Protocol of the probe.
        task: Protocol of the fine-tuning.
        points: Primary metrics of both, in percent, by method.
        rho: Spearman's rank correlation over all points.
        interval: Its 95 % interval.
    """

    probe: str
    task: str
    points: Mapping[str, Sequence[tuple[float, float]]]
    rho: float
    interval: tuple[float, float]

    def row(self) -> str:
        """A row of the table."""
        count = sum(map(len, self.points.values()))
        low, high = self.interval
        return (
            f"| {self.probe} | {self.task} | {self.rho:.2f} | {low:.2f} to {high:.2f} | {count} | "
            f"{len(self.points)} |"
        )


def values_of(records: Iterable[Record]) -> dict[str, dict[Start, float]]:
    """Primary metric of each start, by the id of the protocol; of full runs alone.

    Raises:
        BenchError: If a start has two results of a protocol, or there are several backbones.
    """
    found: dict[str, dict[Start, float]] = {}
    backbones = set()
    for record in records:
        if record.kind != "full" or record.seed is None:
            continue
        backbones.add(record.backbone)
        values = found.setdefault(record.protocol.id, {})
        start = (record.label, record.seed)
        if start in values:
            raise BenchError(
                f"{record.label}, seed {record.seed}, has two results of {record.protocol.id}; "
                "give a folder with the records of one study"
            )
        values[start] = record.metrics[record.protocol.primary]
    if len(backbones) > 1:
        raise BenchError(
            f"records are of the backbones {', '.join(sorted(backbones))}, expected one; give a "
            "folder with the records of one study"
        )
    return found


def agreements(values: Mapping[str, Mapping[Start, float]]) -> list[Agreement]:
    """Of each probe with each task, in the order of ``PROBES``.

    Raises:
        BenchError: If there is no probe or no task, or fewer than four methods have both.
    """
    probes = [f"demo-{name}" for name in PROBES if f"demo-{name}" in values]
    tasks = sorted(set(values) - set(probes))
    if not probes or not tasks:
        raise BenchError(
            f"the records have {len(probes)} probes and {len(tasks)} other protocols, expected one "
            "and more of each; run a suite with `tasks` and `frozen`"
        )
    return [agreement(probe, task, values) for task in tasks for probe in probes]


def agreement(
    probe: str, task: str, values: Mapping[str, Mapping[Start, float]], *, draws: int = DRAWS
) -> Agreement:
    """Of one probe with one task.

    Raises:
        BenchError: If fewer than four methods have both.
    """
    import numpy as np

    points: dict[str, list[tuple[float, float]]] = {}
    for method, seed in sorted(values[probe].keys() & values[task].keys()):
        start = (method, seed)
        points.setdefault(method, []).append((values[probe][start], values[task][start]))
    if len(points) < LEAST:
        raise BenchError(
            f"{len(points)} methods have results of both {probe} and {task}, expected {LEAST} and "
            "more; finish the suite"
        )
    groups = [np.array(of_method) for of_method in points.values()]
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(groups), size=(draws, len(groups)))
    drawn = [_spearman(np.concatenate([groups[k] for k in of_draw])) for of_draw in chosen]
    low, high = np.nanpercentile(drawn, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Agreement(
        probe, task, points, _spearman(np.concatenate(groups)), (float(low), float(high))
    )


def _spearman(points: Any) -> float:
    """Rank correlation of two columns; NaN where one of them is constant."""
    import numpy as np
    from scipy.stats import rankdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant column
        return float(np.corrcoef(rankdata(points, axis=0).T)[0, 1])


def draw(found: Sequence[Agreement], path: Path) -> None:
    """A panel for each probe (column) and task (row): a point a start, coloured by method."""
    from matplotlib import colormaps

    from simmim_bench.plots import new_figure, save_figure

    probes = list(dict.fromkeys(one.probe for one in found))
    tasks = list(dict.fromkeys(one.task for one in found))
    methods = sorted({method for one in found for method in one.points})
    figure = new_figure(width=2.2 * len(probes) + 0.6, height=2.3 * len(tasks) + 0.6)
    panels = figure.subplots(len(tasks), len(probes), squeeze=False, sharey="row", sharex="col")
    places = {(task, probe): axes
              for task, row in zip(tasks, panels, strict=True)
              for probe, axes in zip(probes, row, strict=True)}  # fmt: skip
    for one in found:
        axes = places[one.task, one.probe]
        for number, method in enumerate(methods):
            points = one.points.get(method, ())
            axes.plot(
                [probed for probed, _ in points],
                [tuned for _, tuned in points],
                marker="osD^vP*X"[number % 8],
                linestyle="",
                color=colormaps["tab10"](number % 10),
                label=method,
            )
        low, high = one.interval
        axes.set_title(f"{one.rho:.2f} ({low:.2f} to {high:.2f})", fontsize="small")
        axes.grid(alpha=0.3)
    for probe, axes in zip(probes, panels[-1], strict=True):
        axes.set_xlabel(f"{probe.removeprefix('demo-')} (%)")
    for task, row in zip(tasks, panels, strict=True):
        row[0].set_ylabel(f"{task.removeprefix('demo-')}, fine-tuned (%)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    save_figure(figure, path)


def run() -> None:
    """Print the table, and draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("records", type=Path, help="store of records of one study")
    parser.add_argument("--picture", type=cli.output_file, metavar="FILE", help="draw it, as PNG")
    args = parser.parse_args()
    found = agreements(values_of(read_records(args.records)))
    print("\n".join([HEADER, *(one.row() for one in found)]))
    if args.picture:
        draw(found, args.picture)


if __name__ == "__main__":
    cli.main(run)
