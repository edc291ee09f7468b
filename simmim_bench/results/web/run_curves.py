"""Charts of one run from the scalars that it logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.page import with_unit
from simmim_bench.plots import new_figure
from simmim_bench.results.manifest import Protocol
from simmim_bench.results.web.drawing import COLOURS, WIDTH, Chart, as_svg, styled
from simmim_bench.visualization.curves import read_scalars

LOGGED = (("loss", "loss"), ("lr", "learning rate"), ("grad_norm", "gradient norm"))
PAINTED = (("reconstruction/psnr", "PSNR of masked pixels (dB)"),)


def run_charts(folder: Path, protocol: Protocol | None) -> Iterator[Chart]:
    """Loss, learning rate and gradient norm, and what the evaluations measured.

    Args:
        folder: Of the run.
        protocol: Whose metrics are drawn; reconstructions without one.
    """
    for key, label in LOGGED:
        yield from _chart(folder, key, label, "iteration")
    against = "evaluation after"
    if protocol is None:
        for key, label in PAINTED:
            yield from _chart(folder, key, label, "epoch")
        return
    for name, key in protocol.metrics.items():
        scale = 100.0 if key.startswith("coco/") else 1.0
        yield from _chart(folder, key, with_unit(name), against, scale=scale)


def _chart(
    folder: Path, key: str, label: str, against: str, *, scale: float = 1.0
) -> Iterator[Chart]:
    try:
        steps, values = read_scalars(folder, key)
    except BenchError:
        return
    if len(steps) < 2:
        return
    with styled():
        figure = new_figure(width=WIDTH, height=2.4)
        axes = figure.subplots()
        marker = "o" if len(steps) < 20 else ""
        axes.plot(
            steps,
            [scale * value for value in values],
            color=COLOURS[0],
            marker=marker,
            markersize=4,
        )
        axes.set_xlabel(against)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel(label)
        yield Chart(label, as_svg(figure))
