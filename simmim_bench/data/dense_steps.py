"""Steps of the pipelines of detection and segmentation, with the results of the libraries' own.

Configs name the steps of mmdet and mmseg. A data set replaces those that are slow by subclasses
that give the same results to the bit; tests compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from numpy.typing import NDArray

FLIPS = {(0,): 0, (1,): 1, (0, 1): -1}
"""OpenCV's code for flipped axes."""


def speed_up(steps: Any, faster: Mapping[type, type]) -> None:
    """Give steps another class, also those within other steps.

    Args:
        steps: A pipeline, a step, or nested lists of them.
        faster: Subclass without further attributes, for each class. Steps of a subclass of such a
            class stay as they are.
    """
    if isinstance(steps, list | tuple):
        for step in steps:
            speed_up(step, faster)
    elif isinstance(steps, BaseTransform | Compose):
        if new := faster.get(type(steps)):
            steps.__class__ = new
        speed_up(list(vars(steps).values()), faster)


class Contiguous:
    """Mixed into mmcv's ``RandomFlip``, which leaves a view whose copy is slow."""

    def _flip(self, results: dict[str, Any]) -> None:
        super()._flip(results)  # type: ignore[misc]
        results["img"] = contiguous(results["img"])


class Planar:
    """Mixed into steps that pack, which copy the image to (C, H, W)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack ``results``, whose image is (H, W, C)."""
        if "img" in results:
            results = {**results, "img": planar(results["img"])}
        return super().transform(results)  # type: ignore[misc]


def contiguous(image: NDArray[Any]) -> NDArray[Any]:
    """A contiguous copy of a view (H, W, ...) that flips height, width or both.

    NumPy takes thirty times as long as OpenCV for it. Other images are returned as they are.
    """
    flipped = tuple(axis for axis in (0, 1) if image.strides[axis] < 0)
    if not flipped or not _is_colour(image):
        return image
    return cv2.flip(np.flip(image, flipped), FLIPS[flipped])


def planar(image: NDArray[Any]) -> NDArray[Any]:
    """The same image (H, W, C) as a view of an array that is contiguous as (C, H, W)."""
    if not _is_colour(image):
        return image
    planes = np.empty((3, *image.shape[:2]), image.dtype)
    cv2.split(image, list(planes))
    return planes.transpose(1, 2, 0)


def _is_colour(image: NDArray[Any]) -> bool:
    """Whether OpenCV keeps shape and dtype: of one channel, it drops the last axis."""
    return image.ndim == 3 and image.shape[2] == 3 and image.dtype in (np.uint8, np.float32)
