"""Pictures of ablations: heat maps for two axes, bars for one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simmim_bench.leaderboard.aggregate import Stat
from simmim_bench.plots import new_figure, save_figure
from simmim_bench.suite.ablation import Ablation, Block

COLOURS = "cividis"  # reads the same with any colour vision, and in grey
DARK = 0.5  # share of the colour range below which text is white
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"

Axis = tuple[str, list[str]]  # name and labels


@dataclass(frozen=True)
class _Panel:
    title: str
    rows: Axis
    columns: Axis | None  # None: bars
    cells: dict[tuple[str, ...], Stat]  # by (row,) or (row, column)


def draw_ablation(ablation: Ablation, name: str, path: Path) -> None:
    """One PNG: a panel per entry of the suite, and per value of its first axis if it has three.

    Every cell says mean and, with more than one seed, standard deviation; colours span the
    values of this picture. References are named in the title, and lines in panels of bars.

    Args:
        ablation: What to draw.
        name: Of the metric, for people.
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


def spelled(stat: Stat) -> str:
    """Mean and standard deviation, one decimal each."""
    return f"{stat.mean:.1f}" + ("" if stat.sd is None else f" {PLUS_MINUS} {stat.sd:.1f}")


def _title(ablation: Ablation, name: str, panels: Sequence[_Panel]) -> str:
    seeds = sorted({stat.n for panel in panels for stat in panel.cells.values()})
    counted = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1]))) if seeds else "no"
    plural = "" if seeds == [1] else "s"
    parts = [f"{ablation.task} of {ablation.backbone}: {name}, {counted} seed{plural}"]
    parts += [f"{method} {spelled(stat)}" for method, stat in ablation.references.items()]
    return "; ".join(parts)


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
        axes.text(*where, spelled(stat), ha="center", va="center", **style)
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
        axes.annotate(spelled(stat), (0, label), xytext=(4, 0), textcoords="offset points",
                      va="center", color="white", fontsize=9)  # fmt: skip
    for method, stat in references.items():
        axes.axvline(stat.mean, color="0.3", linestyle="--", linewidth=1)
        axes.annotate(method, (stat.mean, 1), xycoords=("data", "axes fraction"), rotation=90,
                      ha="right", va="top", fontsize=8, xytext=(-1, -2),
                      textcoords="offset points")  # fmt: skip
    axes.invert_yaxis()
    axes.set(xlabel=name, ylabel=axis)
    axes.set_title(panel.title, fontsize=9)
