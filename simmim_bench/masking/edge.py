"""Masks that follow the edges of the image: patches with structure are masked first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import sobel

from simmim_bench.masking.guided import GuidedMask
from simmim_bench.registry import MASKS


@MASKS.register_module("edge")
class EdgeMask(GuidedMask):
    """``GuidedMask`` whose score is the edge energy of a patch.

    This is the mean over its pixels of the squared gradient of the grey image (mean of the
    channels), by Sobel's operator with the border repeated.
    """

    reads: ClassVar[tuple[str, ...]] = ("img",)

    def numbers(
        self, sample: Mapping[str, Any], generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Random numbers, then the edge energy of each patch of ``img`` ((H, W, C) array)."""
        noise = super().numbers(sample, generator)
        grid = self.patch_grid(sample["img"].shape[:2])
        energy = edge_energy(sample["img"]).reshape(
            grid[0], self.mask_patch_size, grid[1], self.mask_patch_size
        )
        return np.concatenate([noise, energy.mean(axis=(1, 3)).ravel()])


def edge_energy(image: NDArray[Any]) -> NDArray[np.float64]:
    """Squared length of the gradient at each pixel, (H, W), of an image (H, W, C) or (H, W)."""
    grey = image.reshape(*image.shape[:2], -1).astype(np.float64).mean(axis=2)
    down, across = (sobel(grey, axis=axis, mode="nearest") for axis in (0, 1))
    energy: NDArray[np.float64] = down**2 + across**2
    return energy
