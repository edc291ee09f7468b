"""Steps of mmseg's pipelines, faster, with the same results."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms.utils import cache_randomness
from mmengine import fileio
from mmseg.datasets import transforms
from numpy.typing import NDArray

from simmim_bench.data.dense_steps import Contiguous, Planar

VALUES = np.arange(256, dtype=np.uint8)
"""All values of 8 bits; what a step makes of them is its table."""

HUE, SATURATION = 0, 1  # channels
HUES = 180  # of OpenCV in 8 bits

REDUCED = VALUES - 1  # 0 becomes 255
REDUCED[255] = 255
"""Table of ``reduce_zero_label``."""

GREY_PNG = b"\x89PNG", b"\x08\x00"  # start; bits and kind of colour, from byte 24

Bytes = NDArray[np.uint8]


class LoadAnnotations(transforms.LoadAnnotations):
    """mmseg's, which decodes PNGs of 8 bits of grey with OpenCV, and all others with Pillow."""

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        reduced = results["reduce_zero_label"]
        usual = self.imdecode_backend == "pillow" and self.reduce_zero_label in (None, reduced)
        labels = None
        if usual and results.get("label_map") is None:
            labels = _grey(fileio.get(results["seg_map_path"], backend_args=self.backend_args))
        if labels is None:
            super()._load_seg_map(results)
            return
        results["gt_seg_map"] = cv2.LUT(labels, REDUCED) if reduced else labels
        results["seg_fields"].append("gt_seg_map")


class RandomCrop(transforms.RandomCrop):
    """mmseg's, which counts labels without sorting them."""

    @cache_randomness
    def crop_bbox(self, results: dict[str, Any]) -> tuple[int, int, int, int]:
        """Draw a crop as mmseg does: top, bottom, left, right."""
        labels = results.get("gt_seg_map")
        if self.cat_max_ratio >= 1 or labels is None or labels.dtype != np.uint8:
            return super().crop_bbox(results)
        crop = self._draw(results["img"])
        for _ in range(10):
            counts = cv2.calcHist([self.crop(labels, crop)], [0], None, [256], [0, 256]).ravel()
            if 0 <= self.ignore_index < len(counts):
                counts[self.ignore_index] = 0
            if np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < self.cat_max_ratio:
                break
            crop = self._draw(results["img"])
        return crop

    def _draw(self, image: NDArray[Any]) -> tuple[int, int, int, int]:
        height, width = self.crop_size
        top = np.random.randint(0, max(image.shape[0] - height, 0) + 1)
        left = np.random.randint(0, max(image.shape[1] - width, 0) + 1)
        return top, top + height, left, left + width


class RandomFlip(Contiguous, transforms.RandomFlip):
    """mmseg's, with a contiguous image."""


class PhotoMetricDistortion(transforms.PhotoMetricDistortion):
    """mmseg's, which looks values of 8 bits up in a table."""

    def convert(self, img: NDArray[Any], alpha: float = 1, beta: float = 0) -> NDArray[Any]:
        """``img`` times ``alpha`` plus ``beta``, from 0 to 255, rounded down."""
        if img.dtype != np.uint8 or img.ndim != 3:
            return super().convert(img, alpha, beta)
        return cv2.LUT(img, super().convert(VALUES, alpha, beta)).reshape(img.shape)

    def saturation(self, img: NDArray[Any]) -> NDArray[Any]:
        """Saturation distortion."""
        if img.dtype != np.uint8:
            return super().saturation(img)
        if not np.random.randint(2):
            return img
        alpha = np.random.uniform(self.saturation_lower, self.saturation_upper)
        return _in_hsv(img, SATURATION, super().convert(VALUES, alpha=alpha))

    def hue(self, img: NDArray[Any]) -> NDArray[Any]:
        """Hue distortion."""
        if img.dtype != np.uint8:
            return super().hue(img)
        if not np.random.randint(2):
            return img
        change = np.random.randint(-self.hue_delta, self.hue_delta)
        return _in_hsv(img, HUE, ((VALUES.astype(int) + change) % HUES).astype(np.uint8))


class PackSegInputs(Planar, transforms.PackSegInputs):
    """mmseg's, with a faster copy."""


FASTER = {
    transforms.LoadAnnotations: LoadAnnotations,
    transforms.RandomCrop: RandomCrop,
    transforms.RandomFlip: RandomFlip,
    transforms.PhotoMetricDistortion: PhotoMetricDistortion,
    transforms.PackSegInputs: PackSegInputs,
}
"""Our step for each of mmseg's."""


def _grey(content: bytes) -> Bytes | None:
    """Decode a PNG of 8 bits of grey, (H, W); None for others, and if it is damaged."""
    if (content[:4], content[24:26]) != GREY_PNG:
        return None
    labels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return labels if labels is not None and labels.ndim == 2 else None  # type: ignore[return-value]


def _in_hsv(image: Bytes, channel: int, table: Bytes) -> Bytes:
    """Look up one channel of the HSV image of a BGR image (H, W, 3)."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(hsv, channel), table), hsv, channel)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)  # type: ignore[return-value]
