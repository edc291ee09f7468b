"""Handwritten digits of scikit-learn (8x8 pixels, 17 levels) as smooth pen strokes.

Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998. Each of the
8x8 values counts the ink in a block of 4x4 binary pixels, so the contour of a smooth
interpolation follows the pen.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

VAL_START = 1287
"""First digit of validation. The set is ordered by writer; a writer's pages begin here."""

_CELLS, _MARGIN, _CELL_PIXELS = 8, 1, 8
_SIDE = (_CELLS + 2 * _MARGIN) * _CELL_PIXELS
_EDGE = 0.65  # of full ink, after sharpening: loops stay open and thin strokes whole


@dataclass(frozen=True)
class Digits:
    """Digits of one half.

    Attributes:
        fields: (N, 80, 80), uint8: ink density, interpolated, with a margin of one cell of 8.
        labels: (N,), 0 to 9.
        indices: (N,), place in scikit-learn's set of 1797.
    """

    fields: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]

    def draw(self, label: int, rng: np.random.Generator) -> int:
        """Position of a random digit of class ``label``."""
        candidates = np.flatnonzero(self.labels == label)
        return int(candidates[rng.integers(len(candidates))])


@dataclass(frozen=True)
class Pose:
    """Where a digit stands in an image: (x, y) and side in pixels, degrees clockwise."""

    side: float
    centre: tuple[float, float]
    angle: float


def half_indices(half: str) -> range:
    """Places in scikit-learn's set that belong to ``train`` or ``val``."""
    return range(VAL_START) if half == "train" else range(VAL_START, 1797)


@functools.cache
def load_digits(half: str) -> Digits:
    """Digits of ``half`` (``train`` or ``val``), read once per process."""
    from sklearn.datasets import load_digits as load  # takes 1.5 s

    raw, labels = load(return_X_y=True)
    indices = np.array(half_indices(half))
    fields = np.stack([_field(raw[index].reshape(_CELLS, _CELLS)) for index in indices])
    return Digits(fields, labels[indices].astype(np.int64), indices)


def stroke(field: NDArray[np.uint8], size: int, pose: Pose) -> NDArray[np.uint8]:
    """Opacity of one digit, (size, size), 0 to 255, with an edge about two pixels wide."""
    scale = _CELLS * _CELL_PIXELS / pose.side
    cos, sin = (scale * f(math.radians(pose.angle)) for f in (math.cos, math.sin))
    x, y = pose.centre
    middle = _SIDE / 2
    affine = (cos, sin, middle - cos * x - sin * y, -sin, cos, middle + sin * x - cos * y)
    warped = Image.fromarray(field).transform(
        (size, size), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    gain = max(pose.side / 18, 1.0)  # the larger the digit, the flatter its interpolated edge
    levels = (np.arange(256) - 255 * _EDGE) * gain + 127.5
    table: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.take(table, np.asarray(warped))


def _field(raw: NDArray[np.float64]) -> NDArray[np.uint8]:
    ink = np.pad(raw * (255 / 16), _MARGIN).astype(np.uint8)
    large = Image.fromarray(ink).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    smooth = large.filter(ImageFilter.GaussianBlur(1))
    return np.asarray(smooth.filter(ImageFilter.UnsharpMask(radius=6, percent=200, threshold=0)))
