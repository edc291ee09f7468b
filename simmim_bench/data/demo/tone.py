"""Grey levels: give a photograph a mean and a spread, put a stroke on it at a chosen contrast."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CONTRAST = (85.0, 125.0)
"""Least and largest difference of mean grey between a digit and its surroundings."""

BACKGROUND_MEAN = (60.0, 190.0)
BACKGROUND_SPREAD = 38.0
"""Largest standard deviation."""

STROKE_MEAN = (30.0, 220.0)
STROKE_SPREAD = 28.0

INK = 128
"""Least opacity of a pixel that belongs to a digit."""

_RIM = 6  # pixels
_CORRECTIONS = 8
_TOLERANCE = 2.0  # levels

Levels = NDArray[np.float64]


def grey(image: NDArray[np.uint8] | Levels) -> NDArray[np.int32]:
    """Luma of (H, W, 3) RGB in whole levels (ITU-R 601)."""
    red, green, blue = (image[..., channel].astype(np.int32) for channel in range(3))
    return (red * 299 + green * 587 + blue * 114) // 1000


def contrast(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Mean grey under ``mask`` minus the mean of its surroundings, levels of 255.

    Surroundings are the pixels outside ``mask`` in its box, which is grown by 6 pixels.

    Args:
        image: (H, W, 3), RGB.
        mask: (H, W), True on the digit; not empty and not everything.
    """
    rows, columns = surroundings(mask)
    levels, inside = grey(image[rows, columns]), mask[rows, columns]
    return float(levels[inside].mean() - levels[~inside].mean())


def surroundings(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the box of ``mask``, grown by 6 pixels within the image."""
    spans = []
    for axis in (1, 0):
        used = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(max(int(used[0]) - _RIM, 0), int(used[-1]) + 1 + _RIM))
    return spans[0], spans[1]


def background(photo: Levels) -> NDArray[np.uint8]:
    """``photo`` with mean grey and contrast limited, so that a digit can stand out on it."""
    mean = min(max(float(grey(photo).mean()), BACKGROUND_MEAN[0]), BACKGROUND_MEAN[1])
    return _clip(_centred(photo, BACKGROUND_SPREAD) + mean)


def paint(
    canvas: NDArray[np.uint8],
    opacity: NDArray[np.uint8],
    texture: Levels,
    strength: float,
    brighter: bool,
) -> NDArray[np.uint8]:
    """Put ``texture`` on ``canvas`` where ``opacity`` says, at a contrast within ``CONTRAST``.

    Args:
        canvas: (H, W, 3), RGB: a digit's surroundings, the part of an image that
            ``surroundings`` gives.
        opacity: (H, W), 0 to 255; the mask is ``opacity >= INK``.
        texture: (H, W, 3), RGB; its own mean is replaced.
        strength: 0 to 1: where between the least and the largest possible contrast.
        brighter: Wished side; the other one is taken when there is no room on this one.

    Returns:
        (H, W, 3), RGB; differs from ``canvas`` only where ``opacity`` is positive.
    """
    below = canvas.astype(np.int32)
    alpha = opacity.astype(np.int32)[..., None]
    mask = opacity >= INK
    around = float(grey(canvas)[~mask].mean())
    wanted = _wanted(around, strength, brighter)
    pattern = _centred(texture, STROKE_SPREAD)
    # soft edges take some contrast away, and so does clipping, which needs another round
    share = float(alpha[mask].mean() - alpha[~mask].mean()) / 255
    level = around + wanted / share
    for _ in range(_CORRECTIONS):
        ink = _clip(pattern + level).astype(np.int32)
        mixed = ((below * (255 - alpha) + ink * alpha + 127) // 255).astype(np.uint8)
        levels = grey(mixed)
        error = wanted - float(levels[mask].mean() - levels[~mask].mean())
        if abs(error) < _TOLERANCE:
            break
        level += error / share
    return mixed


def _wanted(around: float, strength: float, brighter: bool) -> float:
    """Contrast with its sign, on the wished side if a stroke of the least contrast fits there."""
    least, largest = CONTRAST
    room_up, room_down = STROKE_MEAN[1] - around, around - STROKE_MEAN[0]
    if max(room_up, room_down) < least:
        raise ValueError(f"no room for contrast {least} around grey {around}; see STROKE_MEAN")
    up = room_up >= least and (brighter or room_down < least)
    room = room_up if up else room_down
    size = least + strength * (min(largest, room) - least)
    return size if up else -size


def _centred(image: Levels, spread: float) -> Levels:
    """``image`` with mean grey 0 and a standard deviation of at most ``spread`` levels."""
    levels = grey(image)
    mean = float(levels.mean())
    # from whole numbers: the same bits whatever the order of summation
    deviation = math.sqrt(max(float((levels**2).mean()) - mean**2, 1e-6))
    centred: Levels = (image - mean) * min(1.0, spread / deviation)
    return centred


def _clip(levels: Levels) -> NDArray[np.uint8]:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
