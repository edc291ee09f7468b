"""Steps of the libraries' pipelines for float32 images (H, W, C); ``recipe`` puts them in.

``RandomResizedCrop``, and ``RandomErasing`` with normally distributed values, are also for uint8 of
three colours.

Each has the arguments, the random numbers and the geometry of the step of the same name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms import RandomGrayscale as ColourGrayscale
from numpy.typing import NDArray

from simmim_bench.data import band_augment as bands
from simmim_bench.data import quick_steps
from simmim_bench.registry import TRANSFORMS, imports

with imports():
    from mmpretrain.datasets.transforms import ColorJitter as ColourJitter
    from mmpretrain.datasets.transforms import GaussianBlur as ColourBlur
    from mmpretrain.datasets.transforms import RandomErasing as ColourErasing
    from mmpretrain.datasets.transforms import RandomResizedCrop as ColourCrop
    from mmpretrain.datasets.transforms import ResizeEdge as ColourEdge


@TRANSFORMS.register_module()
class RandomResizedCrop(ColourCrop):
    """mmpretrain's with Pillow's filters."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop and resize ``results['img']``."""
        image = results["img"]
        top, left, height, width = self.rand_crop_params(image)
        image = image[top : top + height, left : left + width]
        resized = quick_steps.resized if quick_steps.is_plain(image) else bands.resized
        results["img"] = resized(image, tuple(self.scale[::-1]), self.interpolation)
        results["img_shape"] = results["img"].shape
        return results


@TRANSFORMS.register_module()
class ResizeEdge(ColourEdge):
    """mmpretrain's with Pillow's filters."""

    def _resize_img(self, results: dict[str, Any]) -> None:
        height, width = results["img"].shape[:2]
        new = results["scale"]
        results["img"] = bands.resized(results["img"], new, self.interpolation)
        results["img_shape"] = new[::-1]
        results["scale_factor"] = (new[0] / width, new[1] / height)


@TRANSFORMS.register_module()
class ColorJitter(ColourJitter):
    """mmpretrain's brightness and contrast; saturation and hue are left out."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``results['img']``."""
        order, brightness, contrast, _, _ = self._rand_params()
        for index in order:
            if index == 0 and brightness is not None:
                results["img"] = bands.brightened(results["img"], brightness)
            elif index == 1 and contrast is not None:
                results["img"] = bands.contrasted(results["img"], contrast)
        return results


@TRANSFORMS.register_module()
class PhotoMetricDistortion(BaseTransform):
    """mmseg's brightness and contrast, each half of the time; saturation and hue are left out.

    Args:
        brightness_delta: Most that is added to all values.
        contrast_range: Least and largest factor of all values.
        saturation_range: Not used.
        hue_delta: Not used.
    """

    def __init__(
        self,
        *,
        brightness_delta: float = 32,
        contrast_range: Sequence[float] = (0.5, 1.5),
        saturation_range: Sequence[float] = (0.5, 1.5),  # noqa: ARG002
        hue_delta: float = 18,  # noqa: ARG002
    ) -> None:
        self.brightness_delta = brightness_delta
        self.contrast_range = contrast_range

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``results['img']``."""
        image = results["img"]
        if np.random.randint(2):
            delta = np.random.uniform(-self.brightness_delta, self.brightness_delta)
            image = np.clip(image + np.float32(delta), 0, bands.WHITE)
        if np.random.randint(2):
            low, high = self.contrast_range
            image = bands.brightened(image, np.random.uniform(low, high))
        results["img"] = image
        return results


@TRANSFORMS.register_module()
class RandomGrayscale(ColourGrayscale):
    """mmcv's; the grey image is the mean of the bands."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace each band of ``results['img']`` by their mean, or not."""
        if self._random_prob() < self.prob:
            image = results["img"]
            image = image.reshape(*image.shape[:2], -1)  # OpenCV drops the axis of one band
            grey = image.mean(axis=2, keepdims=True)
            results["img"] = np.repeat(grey, image.shape[2], axis=2)
        return results


@TRANSFORMS.register_module()
class GaussianBlur(ColourBlur):
    """mmpretrain's."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Blur ``results['img']``, or not."""
        if not self.random_disable():
            radius = self.radius if self.radius is not None else self.random_magnitude()
            results["img"] = bands.blurred(results["img"], radius)
        return results


@TRANSFORMS.register_module()
class RandomErasing(ColourErasing):
    """mmpretrain's, for float32 filled with values that are not rounded.

    Args:
        fill_color: Value of each band, or mean of the normal distribution.
        fill_std: Its standard deviation; None: uniform from 0 to 255.
        kwargs: See ``mmpretrain.RandomErasing``.
    """

    def __init__(
        self,
        *,
        fill_color: Sequence[float] = (128, 128, 128),
        fill_std: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fill_color = fill_color
        self.fill_std = fill_std

    def _fill_pixels(self, img: NDArray[Any], top: int, left: int, h: int, w: int) -> NDArray[Any]:
        img = img.reshape(*img.shape[:2], -1)
        shape = (h, w, img.shape[2])
        if self.mode == "const":
            patch = np.broadcast_to(np.asarray(self.fill_color), shape)
        elif self.fill_std is None:
            patch = np.random.uniform(0, bands.WHITE, shape)
        else:
            patch = np.random.standard_normal(shape)  # half the time of normal(mean, deviation)
            patch *= self.fill_std
            patch += self.fill_color
        # assignment to uint8 drops the fraction, as mmpretrain's does
        img[top : top + h, left : left + w] = np.clip(patch, 0, bands.WHITE)
        return img
