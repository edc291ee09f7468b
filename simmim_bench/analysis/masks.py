"""Measure and draw masks: a table and a plot of AvgDist, and a contact sheet.

AvgDist (SimMIM, section 4.1.1 and figure 3) is the mean Euclidean distance, in pixels, from masked
pixels to the nearest visible pixel. In the paper, masks with an AvgDist of 10 to 20 fine-tune best.
Strategies that read the image are measured on scenes of the demo data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.ndimage import distance_transform_edt

from simmim_bench.data.demo.compose import Composer
from simmim_bench.data.demo.spec import DemoSpec, Split
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, csv_text
from simmim_bench.masking.base import Grid, MaskStrategy
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.masking.strategies import strategies as known_strategies
from simmim_bench.plots import new_figure, save_figure

FIELDS = ("strategy", "mask_patch_size", "mask_ratio", "avg_dist")

SCENES = "coco/val2017"
CACHED = 64  # cached scenes; all strategies use the same ones

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Palette of Okabe and Ito."""
MARKERS = "os^DvP*"
PIXELS = (1, 2, 5, 10, 20, 50, 100)  # labelled distances


def survey(
    *,
    strategies: Sequence[str] = (),
    mask_patch_sizes: Sequence[int],
    mask_ratios: Sequence[float],
    image_size: int,
    count: int,
    seed: int,
    out: Path,
    console: Console,
) -> None:
    """Write ``avg_dist.csv``, ``avg_dist.png`` and ``masks.png`` into ``out``; print the table.

    Without ``strategies`` all that are registered are measured.

    Raises:
        BenchError: If a strategy does not fit this image size.
    """
    size = (image_size, image_size)
    names = strategies or sorted(known_strategies())
    cells = grid_of_cells(names, mask_patch_sizes, mask_ratios)
    try:
        for cell in cells:
            cell.build().patch_grid(size)
        steps = measure(cells, size, count=count, seed=seed)
        shown = track(
            steps, "measuring", total=len(cells), console=console, disable=not console.is_terminal
        )
        distances = dict(shown)
    except ValueError as error:
        raise BenchError(str(error)) from error
    _write_csv(distances, out / "avg_dist.csv")
    draw_distances(distances, out / "avg_dist.png")
    draw_sheet(cells, size, out / "masks.png", seed=seed)
    console.print(_table(distances, mask_ratios, count))
    console.print(f"written: avg_dist.csv, avg_dist.png, masks.png in {out}", soft_wrap=True)


@dataclass(frozen=True)
class Cell:
    """A strategy with a mask patch size in pixels and a mask ratio."""

    strategy: str
    mask_patch_size: int
    mask_ratio: float

    def build(self) -> MaskStrategy:
        """Build the strategy; its masks are in pixels."""
        return build_strategy(
            self.strategy,
            mask_patch_size=self.mask_patch_size,
            mask_ratio=self.mask_ratio,
            token_size=1,
        )


def average_distance(masks: NDArray[np.bool_]) -> float | None:
    """Mean distance from masked pixels to the nearest visible pixel, in pixels.

    Args:
        masks: Bool, (B, H, W) in pixels; True = masked. Distances are between pixel centres: a
            masked pixel beside a visible one counts 1.

    Returns:
        None if a mask has no masked or no visible pixel.
    """
    masked = masks.sum(axis=(1, 2))
    if (masked == 0).any() or (masked == masks[0].size).any():
        return None
    total = sum(float(distance_transform_edt(mask)[mask].sum()) for mask in masks)
    return total / float(masked.sum())


def measure(
    cells: Sequence[Cell], image_size: Grid, *, count: int, seed: int = 0
) -> Iterator[tuple[Cell, float | None]]:
    """AvgDist of each cell over ``count`` masks of images of ``image_size`` (H, W) pixels.

    Strategies that read the image get a different scene for each mask.
    """
    for cell in cells:
        strategy = cell.build()
        drawn = [draw(strategy, image_size, seed=seed, index=index) for index in range(count)]
        masks = np.stack(drawn)
        yield cell, average_distance(masks)


def grid_of_cells(
    strategies: Sequence[str], mask_patch_sizes: Sequence[int], mask_ratios: Sequence[float]
) -> list[Cell]:
    """All combinations, ordered by strategy, patch size and ratio."""
    return [Cell(*values) for values in product(strategies, mask_patch_sizes, mask_ratios)]


@lru_cache(maxsize=CACHED)
def sample_of(index: int, image_size: Grid) -> dict[str, Any]:
    """Scene ``index`` as a sample: ``img`` (H, W, 3), RGB, and ``gt_seg_map`` (H, W)."""
    composer, split = _composer()
    scene = composer.compose(split, index)
    size = (image_size[1], image_size[0])
    image = Image.fromarray(scene.image).resize(size, Image.Resampling.BICUBIC)
    classes = Image.fromarray(scene.semantic_map()).resize(size, Image.Resampling.NEAREST)
    return {"img": np.asarray(image), "gt_seg_map": np.asarray(classes)}


def draw(strategy: MaskStrategy, image_size: Grid, *, seed: int, index: int) -> NDArray[np.bool_]:
    """Mask ``index``, Bool, (H / token, W / token); of scene ``index`` if the strategy reads it."""
    generator = np.random.default_rng([seed, index])
    if not strategy.reads:
        return strategy(image_size, generator)
    numbers = strategy.numbers(sample_of(index, image_size), generator)
    mask: NDArray[np.bool_] = strategy.masks(image_size, torch.from_numpy(numbers).unsqueeze(0))[
        0
    ].numpy()
    return mask


def draw_sheet(cells: Sequence[Cell], image_size: Grid, path: Path, *, seed: int = 0) -> None:
    """Draw one mask of each cell: a row per strategy and patch size, a column per ratio.

    Masked pixels are black. Strategies that read the image show the scene.

    Args:
        cells: Cells to draw.
        image_size: Height and width in pixels.
        path: PNG to write.
        seed: Seed of all masks.
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


def draw_distances(distances: dict[Cell, float | None], path: Path) -> None:
    """Plot AvgDist in pixels by mask ratio: a panel per strategy, a line per patch size.

    The range of 10 to 20 pixels is grey.
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


def _write_csv(distances: dict[Cell, float | None], path: Path) -> None:
    rows = [
        (
            cell.strategy,
            cell.mask_patch_size,
            cell.mask_ratio,
            "" if value is None else f"{value:.4f}",
        )
        for cell, value in distances.items()
    ]
    atomic_write_text(path, csv_text([FIELDS, *rows]))


def _table(distances: dict[Cell, float | None], ratios: Sequence[float], count: int) -> Table:
    title = f"AvgDist in pixels, mean of {count} masks; blank: all pixels are masked"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 0))
    table.add_column("strategy", no_wrap=True)
    table.add_column("patch", justify="right", no_wrap=True)
    for ratio in ratios:
        table.add_column(f"{ratio:g}", justify="right")
    for strategy, size in dict.fromkeys((c.strategy, c.mask_patch_size) for c in distances):
        values = [distances[Cell(strategy, size, ratio)] for ratio in ratios]
        shown = ["" if value is None else f"{value:.1f}" for value in values]
        table.add_row(strategy, str(size), *shown)
    return table


@cache
def _composer() -> tuple[Composer, Split]:
    spec = DemoSpec()
    split = next(split for split in spec.splits() if split.name == SCENES)
    return Composer(spec=spec, half=split.half), split


def _picture(strategy: MaskStrategy, image_size: Grid, seed: int) -> NDArray[np.uint8]:
    """Picture of one mask, (H, W, 3)."""
    mask = draw(strategy, image_size, seed=seed, index=0)
    shown: NDArray[np.uint8] = np.full((*mask.shape, 3), 255, np.uint8)
    if strategy.reads:
        shown = sample_of(0, image_size)["img"].copy()
    shown[mask] = 0
    return shown
