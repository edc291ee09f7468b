"""Pictures of masking: a contact sheet of strategies, and AvgDist against the mask ratio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmim_bench.masking.base import Grid, MaskStrategy
from simmim_bench.masking.distance import Cell
from simmim_bench.masking.examples import draw, sample_of
from simmim_bench.plots import new_figure, save_figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito."""
MARKERS = "os^DvP*"
PIXELS = (1, 2, 5, 10, 20, 50, 100)  # labelled distances


def draw_sheet(cells: Sequence[Cell], image_size: Grid, path: Path, *, seed: int = 0) -> None:
    """One mask of each cell as a PNG: a row per strategy and patch size, a column per ratio.

    Hidden is black; a strategy that reads the sample shows the scene of the demo that it read.

    Args:
        cells: What to draw.
        image_size: Height and width in pixels.
        path: File to write.
        seed: Of every mask.
    """
    rows = list(dict.fromkeys((cell.strategy, cell.mask_patch_size) for cell in cells))
    ratios = sorted({cell.mask_ratio for cell in cells})
    figure = new_figure(width=1.3 * len(ratios) + 1.4, height=1.45 * len(rows) + 0.3)
    panels = figure.subplots(len(rows), len(ratios), squeeze=False)
    for cell in cells:
        row = rows.index((cell.strategy, cell.mask_patch_size))
        axes = panels[row, ratios.index(cell.mask_ratio)]
        axes.imshow(_picture(cell.build(), image_size, seed), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        if row == 0:
            axes.set_title(f"ratio {cell.mask_ratio:g}", fontsize=9)
        if axes is panels[row, 0]:
            axes.set_ylabel(f"{cell.strategy}\n{cell.mask_patch_size} px", fontsize=9)
    save_figure(figure, path)


def _picture(strategy: MaskStrategy, image_size: Grid, seed: int) -> NDArray[np.uint8]:
    """(H, W, 3)."""
    mask = draw(strategy, image_size, seed=seed, index=0)
    shown: NDArray[np.uint8] = np.full((*mask.shape, 3), 255, np.uint8)
    if strategy.reads:
        shown = sample_of(0, image_size)["img"].copy()
    shown[mask] = 0
    return shown


def draw_distances(distances: dict[Cell, float | None], path: Path) -> None:
    """AvgDist in pixels against the mask ratio, as a PNG: a panel per strategy, a line per size.

    Grey: 10 to 20 pixels, where masks fine-tune best in the paper.
    """
    strategies = list(dict.fromkeys(cell.strategy for cell in distances))
    sizes = sorted({cell.mask_patch_size for cell in distances})
    figure = new_figure(width=2.4 * len(strategies) + 1.2, height=3.0)
    panels = figure.subplots(1, len(strategies), sharey=True, squeeze=False)[0]
    for axes, strategy in zip(panels, strategies, strict=True):
        for number, size in enumerate(sizes):
            line = sorted(
                (cell.mask_ratio, value)
                for cell, value in distances.items()
                if (cell.strategy, cell.mask_patch_size) == (strategy, size) and value is not None
            )
            style = {"color": COLOURS[number % 7], "marker": MARKERS[number % 7]}
            axes.plot(*zip(*line, strict=True), label=f"{size} px", markersize=4, **style)
        axes.axhspan(10, 20, color="0.9", zorder=0)
        axes.set(title=strategy, xlabel="mask ratio", yscale="log")
        axes.set_yticks(PIXELS, labels=[str(pixels) for pixels in PIXELS])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("AvgDist (pixels)")
    panels[-1].legend(title="mask patch", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(figure, path)
