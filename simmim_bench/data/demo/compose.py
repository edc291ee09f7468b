"""Compose digits and photographs: images of one digit, and scenes of several that overlap.

Digits have a minimum contrast to their surroundings, so that each of them can be recognised.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmim_bench.data.demo.sources import Pose, load_digits, load_photos, stroke
from simmim_bench.data.demo.spec import CLASSES, DemoSpec, Split

BACKGROUND = 1
"""Value of the background in a semantic map; 0 is ignored, digit d is 2 + d."""

_MIN_AREA = 24  # pixels of ink of a digit
_ATTEMPTS = 20

CONTRAST = (85.0, 125.0)
"""Smallest and largest difference of mean grey between a digit and its surroundings."""

BACKGROUND_MEAN = (60.0, 190.0)
BACKGROUND_SPREAD = 38.0
"""Largest standard deviation."""

STROKE_MEAN = (30.0, 220.0)
STROKE_SPREAD = 28.0

INK = 128
"""Smallest opacity of a pixel that belongs to a digit."""

_RIM = 6  # pixels
_CORRECTIONS = 8
_TOLERANCE = 2.0  # levels

Levels = NDArray[np.float64]


@dataclass(frozen=True)
class Instance:
    """One digit of an image.

    Attributes:
        label: 0 to 9.
        digit: Position in scikit-learn's set.
        mask: (H, W), True where it is visible.
    """

    label: int
    digit: int
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Composed:
    """An image, (H, W, 3) RGB, and its digits, bottom first."""

    image: NDArray[np.uint8]
    instances: tuple[Instance, ...]

    def semantic_map(self) -> NDArray[np.uint8]:
        """(H, W): 1 is background, 2 to 11 are the digits 0 to 9; nothing is ignored (0)."""
        classes = np.full(self.image.shape[:2], BACKGROUND, np.uint8)
        for instance in self.instances:
            classes[instance.mask] = BACKGROUND + 1 + instance.label
        return classes

    def digest(self) -> bytes:
        """SHA-256 of pixels and labels, before any encoding."""
        digest = hashlib.sha256(repr(self.image.shape).encode())
        digest.update(self.image.tobytes())
        for instance in self.instances:
            digest.update(bytes([instance.label]))
            digest.update(np.packbits(instance.mask).tobytes())
        return digest.digest()


class Composer:
    """Composes the images of one half from its photographs and digits.

    Image ``index`` of a split depends only on (seed, split, index), not on the number of
    processes.
    """

    def __init__(self, *, spec: DemoSpec, half: str) -> None:
        self.spec = spec
        self.photos = load_photos(half)
        self.digits = load_digits(half)

    def compose(self, split: Split, index: int) -> Composed:
        """Image ``index`` of ``split``."""
        rng = np.random.default_rng([self.spec.seed, split.number, index])
        if split.is_scene(index):
            return self._scene(rng)
        return self._object(index % len(CLASSES), rng)

    def _object(self, label: int, rng: np.random.Generator) -> Composed:
        size = self.spec.object_size
        while True:
            drawn = self._draw(label, size, self.spec.object_digit, rng)
            if drawn.area >= _MIN_AREA:
                return self._draw_all([drawn], size, rng)

    def _scene(self, rng: np.random.Generator) -> Composed:
        size = self.spec.scene_size
        wanted = int(rng.integers(1, self.spec.max_digits + 1))
        chosen: list[_Drawn] = []
        for _ in range(_ATTEMPTS):
            label = int(rng.integers(len(CLASSES)))
            drawn = self._draw(label, size, self.spec.scene_digit, rng)
            if self._all_visible([*chosen, drawn]):
                chosen.append(drawn)
            if len(chosen) == wanted:
                break
        return self._draw_all(chosen, size, rng)

    def _draw(
        self, label: int, size: int, sides: tuple[int, int], rng: np.random.Generator
    ) -> _Drawn:
        position = self.digits.draw(label, rng)
        side = float(rng.uniform(*sides))
        room = (size - side) / 2
        x, y = (size / 2 + float(rng.uniform(-room, room)) for _ in range(2))
        angle = float(rng.uniform(-self.spec.rotation, self.spec.rotation))
        opacity = stroke(self.digits.fields[position], size, Pose(side, (x, y), angle))
        return _Drawn(label, int(self.digits.indices[position]), opacity)

    def _all_visible(self, drawn: list[_Drawn]) -> bool:
        return all(
            each.area >= _MIN_AREA and mask.sum() >= self.spec.min_visible * each.area
            for each, mask in zip(drawn, _visible(drawn), strict=True)
        )

    def _draw_all(self, drawn: list[_Drawn], size: int, rng: np.random.Generator) -> Composed:
        """Background from one photograph, each digit from another one."""
        order = rng.permutation(len(self.photos))
        image = background(self.photos[order[0]].crop(size, rng))
        for each, source in zip(drawn, order[1:], strict=False):
            part = surroundings(each.mask)
            height, width = image[part].shape[:2]
            texture = self.photos[source].crop(max(height, width), rng)
            image[part] = draw_digit(
                image[part],
                each.opacity[part],
                texture[:height, :width],
                strength=float(rng.uniform()),
                brighter=bool(rng.integers(2)),
            )
        instances = (
            Instance(each.label, each.digit, mask)
            for each, mask in zip(drawn, _visible(drawn), strict=True)
        )
        return Composed(image, tuple(instances))


def grey(image: NDArray[np.uint8] | Levels) -> NDArray[np.int32]:
    """Luma of (H, W, 3) RGB, rounded down to integers (ITU-R 601)."""
    red, green, blue = (image[..., channel].astype(np.int32) for channel in range(3))
    return (red * 299 + green * 587 + blue * 114) // 1000


def contrast(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Mean grey under ``mask`` minus the mean of its surroundings, levels of 255.

    Surroundings are the pixels outside ``mask`` in its box, enlarged by 6 pixels on each side.

    Args:
        image: (H, W, 3), RGB.
        mask: (H, W), True on the digit; not empty and not everything.
    """
    rows, columns = surroundings(mask)
    levels, inside = grey(image[rows, columns]), mask[rows, columns]
    return float(levels[inside].mean() - levels[~inside].mean())


def surroundings(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the box of ``mask``, enlarged by 6 pixels within the image."""
    spans = []
    for axis in (1, 0):
        used = np.flatnonzero(mask.any(axis=axis))
        spans.append(slice(max(int(used[0]) - _RIM, 0), int(used[-1]) + 1 + _RIM))
    return spans[0], spans[1]


def background(photo: Levels) -> NDArray[np.uint8]:
    """``photo`` with limited mean grey and contrast, so that digits stand out."""
    mean = min(max(float(grey(photo).mean()), BACKGROUND_MEAN[0]), BACKGROUND_MEAN[1])
    return _clip(_centred(photo, BACKGROUND_SPREAD) + mean)


def draw_digit(
    canvas: NDArray[np.uint8],
    opacity: NDArray[np.uint8],
    texture: Levels,
    strength: float,
    brighter: bool,
) -> NDArray[np.uint8]:
    """Draw ``texture`` on ``canvas`` with ``opacity``, at a contrast within ``CONTRAST``.

    Args:
        canvas: (H, W, 3), RGB: the part of an image that ``surroundings`` selects.
        opacity: (H, W), 0 to 255; the mask is ``opacity >= INK``.
        texture: (H, W, 3), RGB; its mean is replaced.
        strength: 0 (smallest possible contrast) to 1 (largest).
        brighter: Whether the digit is brighter than its surroundings, if the levels allow it.

    Returns:
        (H, W, 3), RGB; differs from ``canvas`` only where ``opacity`` is positive.
    """
    below = canvas.astype(np.int32)
    alpha = opacity.astype(np.int32)[..., None]
    mask = opacity >= INK
    around = float(grey(canvas)[~mask].mean())
    wanted = _wanted(around, strength, brighter)
    pattern = _centred(texture, STROKE_SPREAD)
    # soft edges and clipping reduce the contrast; clipping needs several corrections
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


class _Drawn:
    """A digit before it is drawn: label, position in scikit-learn's set, opacity (H, W)."""

    def __init__(self, label: int, digit: int, opacity: NDArray[np.uint8]) -> None:
        self.label, self.digit, self.opacity = label, digit, opacity
        self.mask = opacity >= INK
        self.area = int(self.mask.sum())


def _visible(drawn: list[_Drawn]) -> list[NDArray[np.bool_]]:
    """Masks without the pixels that later digits cover."""
    covered = np.zeros_like(drawn[0].mask)
    masks = []
    for each in reversed(drawn):
        masks.append(each.mask & ~covered)
        covered |= each.mask
    return masks[::-1]


def _wanted(around: float, strength: float, brighter: bool) -> float:
    """Signed contrast, on the requested side if the smallest contrast fits there."""
    least, largest = CONTRAST
    room_up, room_down = STROKE_MEAN[1] - around, around - STROKE_MEAN[0]
    if max(room_up, room_down) < least:
        raise ValueError(
            f"contrast {least} does not fit around grey {around} within STROKE_MEAN {STROKE_MEAN}"
        )
    up = room_up >= least and (brighter or room_down < least)
    room = room_up if up else room_down
    size = least + strength * (min(largest, room) - least)
    return size if up else -size


def _centred(image: Levels, spread: float) -> Levels:
    """``image`` with mean grey 0 and a standard deviation of at most ``spread`` levels."""
    levels = grey(image)
    mean = float(levels.mean())
    # sums of integers: the same bits in any order
    deviation = math.sqrt(max(float((levels**2).mean()) - mean**2, 1e-6))
    centred: Levels = (image - mean) * min(1.0, spread / deviation)
    return centred


def _clip(levels: Levels) -> NDArray[np.uint8]:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
