"""Results of a suite with axes, as pictures, one CSV file and a table.

Each cell is the mean over the seeds in the suite's records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, csv_text
from simmim_bench.leaderboard.aggregate import Row, Stat, aggregate
from simmim_bench.leaderboard.columns import ColumnKey, label_of
from simmim_bench.leaderboard.metrics import METRICS
from simmim_bench.plots import new_figure, save_figure
from simmim_bench.records.manifest import Kind
from simmim_bench.records.names import plain_name
from simmim_bench.records.store import read_records
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.schema import Suite
from simmim_bench.suite.steps import Pretrain

MOST_AXES = 3
FIELDS = ("kind", "protocol", "backbone", "metric", "entry", "values", "mean", "sd", "seeds")
COLOURS = "cividis"  # also readable with colour-vision deficiency and in grey
DARK = 0.5  # share of the colour range below which text is white
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
Axis = tuple[str, list[str]]  # name and labels
Place = tuple[str, ...]  # one label per axis


@dataclass(frozen=True)
class Block:
    """Results of one entry of the suite; combinations without records have no cell."""

    entry: str
    axes: dict[str, list[str]]
    cells: dict[Place, Stat]


@dataclass(frozen=True)
class Ablation:
    """One protocol's primary metric; ``references`` are methods without axes, by name."""

    kind: Kind
    protocol: str
    metric: str
    backbone: str
    blocks: list[Block]
    references: dict[str, Stat]


def read_ablation(suite: Suite, folder: Path) -> list[Ablation]:
    """Results of every protocol and backbone of ``suite``.

    Args:
        suite: A suite with axes.
        folder: Its work dir; records are read from ``results/records`` below it.

    Raises:
        BenchError: If the suite has no axes or too many, has no records yet, or a method has
            results under several settings.
    """
    entries = {name: step for name, step in suite.pretrain.items() if step.axes}
    if not entries:
        raise BenchError(
            f"suite {suite.name} has no axes; for examples see configs/suites/*ablation*.yaml"
        )
    for name, step in entries.items():
        if len(step.axes) > MOST_AXES:
            raise BenchError(
                f"pretrain.{name} has {len(step.axes)} axes, but at most {MOST_AXES} can be drawn; "
                f"split it into several entries"
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
                    Ablation(
                        table.kind, label_of(key, table.columns), protocol.primary, backbone,
                        blocks, references,
                    )
                )  # fmt: skip
    return found


def _block(name: str, step: Pretrain, stats: dict[str, Stat]) -> Block:
    return Block(
        entry=name,
        axes={axis: list(choice) for axis, choice in step.axes.items()},
        cells={
            tuple(variant.values.values()): stats[variant.method]
            for variant in step.variants(name)
            if variant.method in stats
        },
    )


def _stats(rows: list[Row], key: ColumnKey, metric: str) -> dict[str, Stat]:
    """One metric by method, under the protocol ``key``."""
    found: dict[str, Stat] = {}
    for row in rows:
        cell = row.cells.get(key)
        if cell is None:
            continue
        method = cell.records[0].method  # without what its pretraining started from
        if method in found:
            raise BenchError(
                f"{method} has results under several settings, which must not be averaged; use "
                f"a separate work dir for each (--work-dir)"
            )
        if metric in cell.metrics:
            found[method] = cell.metrics[metric]
    return found


@dataclass(frozen=True)
class _Panel:
    title: str
    rows: Axis
    columns: Axis | None  # None: bars
    cells: dict[tuple[str, ...], Stat]  # by (row,) or (row, column)


def draw_ablation(ablation: Ablation, name: str, path: Path) -> None:
    """Write one PNG: heat maps for entries with two axes, bars for one.

    An entry with three axes has a panel for each value of the first. Cells show the mean and, with
    more than one seed, the standard deviation; colours span the values of this picture. References
    are named in the title and drawn as lines beside bars.

    Args:
        ablation: What to draw.
        name: Readable name of the metric.
        path: File to write.
    """
    panels = [panel for block in ablation.blocks for panel in _panels(block)]
    values = [stat.mean for panel in panels for stat in panel.cells.values()]
    if not values:
        values = [stat.mean for stat in ablation.references.values()]
    span = (min(values), max(values)) if values else (0.0, 1.0)
    widths = [1.1 * len(panel.columns[1]) + 1.2 if panel.columns else 4.0 for panel in panels]
    height = 0.75 * max(len(panel.rows[1]) for panel in panels) + 1.5
    figure = new_figure(width=max(5.0, sum(widths)), height=height)
    axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
    for target, panel in zip(axes, panels, strict=True):
        if panel.columns:
            _heat_map(target, panel, panel.columns, span)
        else:
            _bars(target, panel, ablation.references, name)
    figure.suptitle(_title(ablation, name, panels), fontsize=10)
    save_figure(figure, path)


def format_stat(stat: Stat) -> str:
    """Mean and standard deviation, one decimal each."""
    return f"{stat.mean:.1f}" + ("" if stat.sd is None else f" {PLUS_MINUS} {stat.sd:.1f}")


def _title(ablation: Ablation, name: str, panels: Sequence[_Panel]) -> str:
    seeds = sorted({stat.n for panel in panels for stat in panel.cells.values()})
    counted = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1]))) if seeds else "no"
    plural = "" if seeds == [1] else "s"
    parts = [f"{_heading(ablation)}: {name}, {counted} seed{plural}"]
    parts += [f"{method} {format_stat(stat)}" for method, stat in ablation.references.items()]
    return "; ".join(parts)


def _heading(ablation: Ablation) -> str:
    smoke = " (smoke run)" if ablation.kind == "smoke" else ""
    return f"{ablation.protocol} of {ablation.backbone}{smoke}"


def _panels(block: Block) -> Iterator[_Panel]:
    names = list(block.axes)
    axes = list(block.axes.items())
    if len(names) < 3:
        columns = axes[1] if len(names) == 2 else None
        yield _Panel(block.entry, axes[0], columns, block.cells)
        return
    for label in block.axes[names[0]]:
        cells = {place[1:]: stat for place, stat in block.cells.items() if place[0] == label}
        yield _Panel(f"{names[0]}: {label}", axes[1], axes[2], cells)


def _heat_map(axes: Any, panel: _Panel, across: Axis, span: tuple[float, float]) -> None:
    (row_axis, rows), (column_axis, columns) = panel.rows, across
    grid = [
        [panel.cells[row, column].mean if (row, column) in panel.cells else math.nan
         for column in columns]
        for row in rows
    ]  # fmt: skip
    axes.imshow(grid, cmap=COLOURS, vmin=span[0], vmax=span[1], aspect="auto")
    for (row, column), stat in panel.cells.items():
        share = (stat.mean - span[0]) / (span[1] - span[0] or 1)
        where = columns.index(column), rows.index(row)
        style = {"color": "white" if share < DARK else "black", "fontsize": 9}
        axes.text(*where, format_stat(stat), ha="center", va="center", **style)
    axes.set(xlabel=column_axis, ylabel=row_axis)
    axes.set_title(panel.title, fontsize=9)
    axes.set_xticks(range(len(columns)), labels=columns)
    axes.set_yticks(range(len(rows)), labels=rows)


def _bars(axes: Any, panel: _Panel, references: dict[str, Stat], name: str) -> None:
    axis, labels = panel.rows
    found = [(label, panel.cells[label,]) for label in labels if (label,) in panel.cells]
    axes.barh(
        [label for label, _ in found],
        [stat.mean for _, stat in found],
        xerr=[stat.sd or 0.0 for _, stat in found],
        color="#0072B2",
        height=0.6,
    )
    for label, stat in found:
        axes.annotate(format_stat(stat), (0, label), xytext=(4, 0), textcoords="offset points",
                      va="center", color="white", fontsize=9)  # fmt: skip
    for method, stat in references.items():
        axes.axvline(stat.mean, color="0.3", linestyle="--", linewidth=1)
        axes.annotate(method, (stat.mean, 1), xycoords=("data", "axes fraction"), rotation=90,
                      ha="right", va="top", fontsize=8, xytext=(-1, -2),
                      textcoords="offset points")  # fmt: skip
    axes.invert_yaxis()
    axes.set(xlabel=name, ylabel=axis)
    axes.set_title(panel.title, fontsize=9)


def report_ablation(suite_file: Path, *, root: Path, work_dir: Path | None, out: Path | None,
                    console: Console) -> None:  # fmt: skip
    """Write ``ablation_<protocol>_<backbone>.png`` and ``ablation.csv``; print a table.

    Args:
        suite_file: Suite with axes.
        root: Folder of relative paths and outputs.
        work_dir: Suite's folder; None for ``work_dirs/<name>`` below the root.
        out: Output folder; None for ``results`` in the suite's folder.
        console: Where the table is printed.

    Raises:
        BenchError: If the suite file is wrong, has no axes, or has no records yet.
    """
    suite = load_suite(suite_file)
    folder = work_dir or root / "work_dirs" / suite.name
    target = out or folder / "results"
    ablations = read_ablation(suite, folder)
    for ablation in ablations:
        name = METRICS.get(ablation.metric, ablation.metric)
        smoke = "_smoke" if ablation.kind == "smoke" else ""
        protocol = plain_name(ablation.protocol)
        path = target / f"ablation_{protocol}_{ablation.backbone}{smoke}.png"
        draw_ablation(ablation, name, path)
        console.print(_table(ablation, name))
        console.print(f"written: {path}", soft_wrap=True)
    atomic_write_text(target / "ablation.csv", _csv(ablations))


def _rows(ablation: Ablation) -> Iterator[tuple[str, str, Stat]]:
    """Entry, axis values and result; methods without axes come first."""
    for method, stat in ablation.references.items():
        yield method, "", stat
    for block in ablation.blocks:
        for place, stat in block.cells.items():
            yield block.entry, ", ".join(place), stat


def _table(ablation: Ablation, name: str) -> Table:
    table = Table("entry", "values", title=_heading(ablation), box=SIMPLE)
    table.add_column(f"{name} (seeds)", justify="right")
    for entry, values, stat in _rows(ablation):
        table.add_row(entry, values, f"{format_stat(stat)} ({stat.n})")
    return table


def _csv(ablations: list[Ablation]) -> str:
    rows: list[Sequence[Any]] = [FIELDS]
    for found in ablations:
        for entry, values, stat in _rows(found):
            what = (found.kind, found.protocol, found.backbone, found.metric, entry, values)
            rows.append([*what, stat.mean, stat.sd, stat.n])
    return csv_text(rows)
