"""AvgDist: how far masked pixels are from what can be seen (SimMIM, section 4.1.1, figure 3).

The mean Euclidean distance, in pixels, of the masked pixels to the nearest visible pixel. In
the paper the masks that fine-tune best lie between 10 and 20.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from simmim_bench.masking.base import Grid, MaskStrategy
from simmim_bench.masking.examples import draw
from simmim_bench.masking.strategies import build_strategy


@dataclass(frozen=True)
class Cell:
    """One masking: a strategy, its mask patch size in pixels and its mask ratio."""

    strategy: str
    mask_patch_size: int
    mask_ratio: float

    def build(self) -> MaskStrategy:
        """The strategy, with masks in pixels."""
        return build_strategy(
            self.strategy,
            mask_patch_size=self.mask_patch_size,
            mask_ratio=self.mask_ratio,
            token_size=1,
        )


def average_distance(masks: NDArray[np.bool_]) -> float | None:
    """Mean distance from masked pixels to the nearest visible one, in pixels.

    Args:
        masks: Bool, (B, H, W) in pixels; True = masked. Distances join pixel centres, so that a
            masked pixel beside a visible one counts 1.

    Returns:
        None if a mask hides nothing or everything: it has no such distance.
    """
    hidden = masks.sum(axis=(1, 2))
    if (hidden == 0).any() or (hidden == masks[0].size).any():
        return None
    total = sum(float(distance_transform_edt(mask)[mask].sum()) for mask in masks)
    return total / float(hidden.sum())


def measure(
    cells: Sequence[Cell], image_size: Grid, *, count: int, seed: int = 0
) -> Iterator[tuple[Cell, float | None]]:
    """AvgDist of each cell over ``count`` masks of an image of ``image_size`` (H, W) pixels.

    A strategy that reads the sample gets as many scenes of the demo.
    """
    for cell in cells:
        strategy = cell.build()
        drawn = [draw(strategy, image_size, seed=seed, index=index) for index in range(count)]
        masks = np.stack(drawn)
        yield cell, average_distance(masks)


def grid_of_cells(
    strategies: Sequence[str], mask_patch_sizes: Sequence[int], mask_ratios: Sequence[float]
) -> list[Cell]:
    """Every combination; strategy first, then patch size, then ratio."""
    return [Cell(*values) for values in product(strategies, mask_patch_sizes, mask_ratios)]
