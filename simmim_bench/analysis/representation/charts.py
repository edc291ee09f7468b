"""Charts of an analysis as SVG in the colours of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simmim_bench.analysis.representation.look import Look
from simmim_bench.leaderboard.web.drawing import COLOURS, MARKERS, as_svg, legend, styled
from simmim_bench.plots import new_figure

Array = np.ndarray[Any, np.dtype[Any]]
MOST_TICKS = 12
GREY = "#8a8f98"  # visible on dark and light pages


def colour_of(names: Sequence[str]) -> dict[str, str]:
    """Colour of each model, the same in all charts."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def reach_chart(look: Look, *, colour: str, most: float) -> str:
    """Attention distance of each head of one model, their mean, and that of uniform attention.

    Args:
        look: Result of a model with attention.
        colour: Colour of the model.
        most: Upper limit of the distance axis in pixels, the same for all models.
    """
    numbers = np.arange(1, len(look.reach) + 1)
    with styled():
        figure = new_figure(width=3.6, height=2.8)
        axes = figure.subplots()
        for number, reach in zip(numbers, look.reach, strict=True):
            axes.plot([number] * len(reach.heads), reach.heads, "o", color=colour, alpha=0.5,
                      markersize=4)  # fmt: skip
        means = [np.mean(reach.heads) for reach in look.reach]
        axes.plot(numbers, means, color=colour, linewidth=1.5)
        uniform = [reach.uniform for reach in look.reach]
        axes.plot(numbers, uniform, "--", color=GREY, linewidth=1)
        axes.set(title=look.subject.name, xlabel="attention layer", ylabel="distance (pixels)")
        axes.set_ylim(0, most)
        axes.set_xticks(numbers[:: -(-len(numbers) // MOST_TICKS)])
        return as_svg(figure)


def rank_chart(names: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """Effective rank in percent of the largest possible, by depth; one line per model."""
    colours = colour_of(names)
    with styled():
        figure = new_figure(width=5.2, height=3.0)
        axes = figure.subplots()
        for place, (name, share) in enumerate(zip(names, shares, strict=True)):
            depth = np.linspace(0, 1, len(share)) if len(share) > 1 else [1.0]
            axes.plot(depth, share, color=colours[name], marker=MARKERS[place % len(MARKERS)],
                      markersize=5, label=name)  # fmt: skip
        axes.set(xlabel="depth (first block to output)", ylabel="effective rank (% of most)")
        axes.set_ylim(0, None)
        legend(figure)
        return as_svg(figure)


def alignment_chart(first: Look, second: Look, values: Array) -> str:
    """CKA of all layers of ``first`` (rows) with all layers of ``second`` (columns)."""
    with styled():
        figure = new_figure(width=3.5, height=3.0)
        axes = figure.subplots()
        mesh = axes.pcolormesh(values, cmap="cividis", vmin=0, vmax=1, edgecolors="face")
        for axis, look in ((axes.yaxis, first), (axes.xaxis, second)):
            labels = list(look.features)
            places = range(0, len(labels), -(-len(labels) // MOST_TICKS))
            axis.set_ticks([place + 0.5 for place in places], [labels[place] for place in places])
        axes.tick_params(axis="x", rotation=90)
        axes.set(xlabel=second.subject.name, ylabel=first.subject.name)
        figure.colorbar(mesh, label="CKA")
        return as_svg(figure)


def map_chart(places: Array, classes: Sequence[str]) -> str:
    """t-SNE, with a colour and marker for each class."""
    looks = {
        name: {"color": COLOURS[number % 6], "marker": MARKERS[(number // 6 + number) % 6]}
        for number, name in enumerate(sorted(set(classes)))
    }
    with styled():
        figure = new_figure(width=4.4, height=3.6)
        axes = figure.subplots()
        if not looks:
            axes.plot(*places.T, "o", color=COLOURS[0], markersize=4, alpha=0.7)
        for name, style in looks.items():
            chosen = places[[known == name for known in classes]]
            axes.plot(*chosen.T, linestyle="", markersize=4, alpha=0.75, label=name, **style)
        axes.set(xticks=[], yticks=[])
        if looks:
            legend(figure)
        return as_svg(figure)


def checkpoint_charts(lines: Mapping[str, Sequence[Any]], metric: str) -> tuple[str, str]:
    """Error and accuracy by epoch, and against each other; one line per pretraining.

    Args:
        lines: Points (with ``epoch``, ``error``, ``accuracy``) by pretraining.
        metric: Name of ``accuracy``.
    """
    colours = colour_of(list(lines))
    with styled():
        over = new_figure(width=5.6, height=2.8)
        panels = over.subplots(1, 2)
        for axes, name in zip(panels, ("error", "accuracy"), strict=True):
            for line, points in lines.items():
                values = [getattr(point, name) for point in points]
                epochs = [point.epoch for point in points]
                axes.plot(epochs, values, "o-", color=colours[line], markersize=4, label=line)
            axes.set(xlabel="epoch", ylabel="masked L1" if name == "error" else metric)
        legend(over)
        against = new_figure(width=4.6, height=3.4)
        axes = against.subplots()
        for line, points in lines.items():
            pairs = [(point.error, point.accuracy) for point in points]
            axes.plot(*zip(*pairs, strict=True), "o-", color=colours[line], markersize=4,
                      linewidth=0.8, label=line)  # fmt: skip
            for point in (points[0], points[-1]):
                where = (point.error, point.accuracy)
                axes.annotate(f"epoch {point.epoch}", where, textcoords="offset points",
                              xytext=(5, 5))  # fmt: skip
        axes.set(xlabel="masked L1 (held-out images)", ylabel=metric)
        axes.margins(0.15)
        legend(against)
        return as_svg(over), as_svg(against)
