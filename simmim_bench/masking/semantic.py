"""Masks of whole regions of a segmentation map. Not in the SimMIM paper.

SemMAE (https://arxiv.org/abs/2206.10207) masks parts that it learns; here the regions come from
annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from torch import Tensor

from simmim_bench.masking.base import Grid, MaskStrategy, Ratio, count_of, first_patches
from simmim_bench.registry import MASKS

IGNORED = 255  # mmseg's label of pixels without a class
COVER = 0.25  # share of a patch that a region must cover to own it


@MASKS.register_module("semantic")
class SemanticMask(MaskStrategy):
    """Mask whole regions while they fit, then single patches up to the exact count.

    A region is a connected part of one class. A patch belongs to the smallest region that covers
    a quarter of it or, if there is none, to the region that covers most of it; so the patches of
    a region mask nearly all of it. Regions are taken in random order. A region with more patches
    than are left of the share is skipped.

    Args:
        mask_patch_size: Side of a mask patch in pixels.
        mask_ratio: Share of masked patches, or (low, high); see ``MaskStrategy``.
        token_size: Side of a model token in pixels.
        region_share: Share of the masked patches that regions may take, 0 to 1, rounded down.

    Raises:
        ValueError: As ``MaskStrategy``, or if ``region_share`` is out of range.
    """

    reads: ClassVar[tuple[str, ...]] = ("img", "gt_seg_map")

    def __init__(
        self,
        *,
        mask_patch_size: int,
        mask_ratio: Ratio,
        token_size: int,
        region_share: float = 0.5,
    ) -> None:
        super().__init__(
            mask_patch_size=mask_patch_size, mask_ratio=mask_ratio, token_size=token_size
        )
        if not 0 <= region_share <= 1:
            raise ValueError(f"region_share must be in [0, 1], got {region_share}")
        self.region_share = region_share

    def numbers(
        self, sample: Mapping[str, Any], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Random numbers, then the region of each patch (0: none) from ``gt_seg_map``.

        Raises:
            ValueError: If there is no such map, or its size differs from that of ``img``.
        """
        noise, size = super().numbers(sample, generator), sample["img"].shape[:2]
        classes = sample.get("gt_seg_map")
        if classes is None or classes.shape != size:
            found = "none" if classes is None else classes.shape
            raise ValueError(
                f"semantic masks need a gt_seg_map of the image's size {size}, got {found}; use a "
                "dataset with label maps, LoadAnnotations, and crops that also crop the map"
            )
        return np.concatenate([noise, regions_of_patches(classes, self.mask_patch_size).ravel()])

    def _noise(self, grid: Grid, generator: np.random.Generator) -> NDArray[np.float64]:
        """Random order of the regions (at most as many as patches), then of the patches."""
        return generator.random(2 * grid[0] * grid[1])

    def _masked_patches(self, grid: Grid, share: Tensor, noise: Tensor) -> Tensor:
        patches = grid[0] * grid[1]
        if noise.shape[1] != 3 * patches:
            raise ValueError(
                f"semantic masks need {2 * patches} random numbers and {patches} regions, got "
                f"{noise.shape[1]} numbers in all; make them with `numbers`, not with `noise`"
            )
        by_region, order, region = noise.unflatten(1, (3, patches)).unbind(1)
        wanted = count_of(share, grid)
        taken = _fitting(
            by_region, region.long(), (self.region_share * wanted.double()).floor().long()
        )
        return first_patches(order - taken.to(order), wanted, grid)


def regions_of_patches(classes: NDArray[Any], patch: int) -> NDArray[np.int64]:
    """Region of each patch, (rows, columns), numbered from 1; 0 if the patch has no class."""
    pixels = np.zeros(classes.shape, np.int64)
    for value in np.unique(classes):
        if value != IGNORED:
            parts, _ = label(classes == value)
            pixels[parts > 0] = parts[parts > 0] + pixels.max()
    rows, columns = classes.shape[0] // patch, classes.shape[1] // patch
    cells = pixels.reshape(rows, patch, columns, patch).swapaxes(1, 2).reshape(rows * columns, -1)
    areas = np.bincount(pixels.ravel())
    owners = np.array([_owner(cell, areas) for cell in cells])
    _, numbered = np.unique(np.append(0, owners), return_inverse=True)
    return numbered[1:].reshape(rows, columns)


def _owner(cell: NDArray[np.int64], areas: NDArray[np.int64]) -> int:
    """Region that a patch belongs to, given the regions of its pixels."""
    found, counts = np.unique(cell[cell > 0], return_counts=True)
    if len(found) == 0:
        return 0
    large = found[counts >= COVER * len(cell)]
    return int(large[areas[large].argmin()] if len(large) else found[counts.argmax()])


def _fitting(order: Tensor, region: Tensor, room: Tensor) -> Tensor:
    """Patches of the regions that fit into ``room`` (B,) one after another, Bool (B, patches)."""
    regions = int(region.max())
    sizes = torch.zeros(len(region), regions + 1, dtype=torch.long, device=region.device)
    sizes.scatter_add_(1, region, torch.ones_like(region))
    sizes[:, 0] = 0  # no region
    taken = torch.zeros_like(sizes, dtype=torch.bool)
    for number in (order[:, :regions].argsort(dim=1) + 1).split(1, dim=1):  # (B, 1)
        size = sizes.gather(1, number)
        fits = (size > 0) & (size <= room.unsqueeze(1))
        taken.scatter_(1, number, fits)
        room = room - (size * fits).squeeze(1)
    return taken.gather(1, region)
