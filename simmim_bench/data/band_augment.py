"""Augmentations of float32 images (H, W, C) of any number of bands, values from 0 to 255.

The libraries have them for RGB of 8 bits. Geometry is the same here, without rounding. Changes of
brightness and the like act on every band alike; a grey image is the mean of the bands. Saturation
and hue are defined for colours alone and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.errors import BenchError

Bands = NDArray[np.float32]

WHITE = 255
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
}
"""mmcv's names of Pillow's filters."""
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # of Pillow's Sharpness


def per_band(change: Callable[[Image.Image, int], Image.Image], image: Bands) -> Bands:
    """Change each band as an image of Pillow; ``change`` gets it and its number."""
    bands = image.reshape(*image.shape[:2], -1)
    changed = [
        np.asarray(change(Image.fromarray(np.ascontiguousarray(bands[..., number])), number))
        for number in range(bands.shape[2])
    ]
    return np.stack(changed, axis=2)


def resized(image: Bands, size: tuple[int, int], interpolation: str) -> Bands:
    """Resize to ``size`` (width, height) with Pillow's filter and antialiasing."""
    return per_band(lambda band, _: band.resize(size, FILTERS[interpolation]), image)


def blurred(image: Bands, radius: float) -> Bands:
    """Blur with a Gaussian of this standard deviation."""
    bands = image.reshape(*image.shape[:2], -1)
    return np.stack(
        [cv2.GaussianBlur(band, (0, 0), radius) for band in np.moveaxis(bands, 2, 0)], axis=2
    )


def brightened(image: Bands, factor: float) -> Bands:
    """Multiply by ``factor``; 0 is black."""
    return _clipped(image * np.float32(factor))


def contrasted(image: Bands, factor: float) -> Bands:
    """Move values from the mean of the image; 0 is a plain grey."""
    return _clipped(_blend(np.float32(image.mean()), image, factor))


def sharpened(image: Bands, factor: float) -> Bands:
    """Move values from those of a smoothed image; the border stays."""
    bands = image.reshape(*image.shape[:2], -1)
    smooth = bands.copy()
    for number in range(bands.shape[2]):
        band = cv2.filter2D(np.ascontiguousarray(bands[..., number]), -1, SMOOTH)
        smooth[1:-1, 1:-1, number] = band[1:-1, 1:-1]
    return _clipped(_blend(smooth, bands, factor))


def stretched(image: Bands) -> Bands:
    """Stretch each band from 0 to 255."""
    low, high = (end(image, axis=(0, 1), keepdims=True) for end in (np.min, np.max))
    width = np.where(high > low, high - low, 1)
    return np.where(high > low, (image - low) * (WHITE / width), image).astype(np.float32)


def equalized(image: Bands) -> Bands:
    """Equalise the histogram of 256 values of each band, and interpolate between them."""
    bands = _clipped(image.reshape(*image.shape[:2], -1))
    tables = []
    for band in np.moveaxis(bands, 2, 0):
        counts = np.bincount(np.rint(band).astype(np.uint8).ravel(), minlength=WHITE + 1)
        filled = counts[counts > 0]
        step = (int(filled.sum()) - int(filled[-1])) // WHITE  # as Pillow
        before = np.concatenate([[0], np.cumsum(counts)[:-1]])
        same = np.arange(WHITE + 1)
        tables.append(np.minimum((step // 2 + before) // step, WHITE) if step else same)
    changed = [
        np.interp(band, np.arange(WHITE + 1), table)
        for band, table in zip(np.moveaxis(bands, 2, 0), tables, strict=True)
    ]
    return np.stack(changed, axis=2).astype(np.float32)


def inverted(image: Bands) -> Bands:
    """255 minus the values."""
    return WHITE - image


def posterized(image: Bands, bits: int) -> Bands:
    """Round down to multiples of 2 ** (8 - bits)."""
    step = np.float32(2 ** (8 - bits))
    return np.floor(image / step) * step


def solarized(image: Bands, threshold: float) -> Bands:
    """Invert the values from ``threshold`` on."""
    return np.where(image < threshold, image, WHITE - image)


def solarized_by(image: Bands, amount: float, threshold: float = 128) -> Bands:
    """Add ``amount`` to the values below ``threshold``."""
    return np.where(image < threshold, np.minimum(image + amount, WHITE), image)


OPERATIONS: dict[str, Callable[..., Bands] | None] = {
    "auto_contrast": stretched,
    "equalize": equalized,
    "invert": inverted,
    "posterize": posterized,
    "solarize": solarized,
    "solarize_add": solarized_by,
    "contrast": contrasted,
    "brightness": brightened,
    "sharpness": sharpened,
    "color": None,
    "desaturate": None,
}
"""By timm's name of the function; None: left out."""

GEOMETRY = (
    *("rotate", "shear_x", "shear_y"),
    *(f"translate_{axis}_{kind}" for axis in "xy" for kind in ("rel", "abs")),
)


def use_bands(operation: Any, fill: Sequence[float]) -> None:
    """Let an ``AugmentOp`` of timm change bands, with the same random numbers.

    Args:
        operation: Of ``timm.data.auto_augment``; changed in place.
        fill: Value of each band outside of the image.

    Raises:
        BenchError: If there is no rule for it.
    """
    function = operation.aug_fn
    name = function.__name__
    if name in GEOMETRY:

        def move(image: Bands, *levels: Any, fillcolor: Any, **options: Any) -> Bands:  # noqa: ARG001
            return per_band(
                lambda band, number: function(band, *levels, fillcolor=fill[number], **options),
                image,
            )

        operation.aug_fn = move
    elif name in OPERATIONS:
        change = OPERATIONS[name]
        operation.aug_fn = lambda image, *levels, **_: (
            image if change is None else change(image, *levels)
        )
    else:
        raise BenchError(
            f"RandAugment has no rule for {operation.name} on images with other channels than "
            "8-bit RGB; leave it out of the policy"
        )


def _blend(start: Any, image: Bands, factor: float) -> Bands:
    return start + (image - start) * np.float32(factor)


def _clipped(image: Bands) -> Bands:
    return np.clip(image, 0, WHITE, dtype=np.float32)
