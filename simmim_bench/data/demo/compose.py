"""Digits on photographs: object-centric images with one, scenes with several that overlap."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simmim_bench.data.demo import tone
from simmim_bench.data.demo.digits import Pose, load_digits, stroke
from simmim_bench.data.demo.photos import load_photos
from simmim_bench.data.demo.spec import CLASSES, DemoSpec, Split

BACKGROUND = 1
"""Value of the background in a semantic map; 0 is ignored, a digit d is 2 + d."""

_MIN_AREA = 24  # pixels of ink: less is no digit
_ATTEMPTS = 20


@dataclass(frozen=True)
class Instance:
    """One digit of an image.

    Attributes:
        label: 0 to 9.
        digit: Its place in scikit-learn's set.
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

    Image ``index`` of a split depends on (seed, split, index) alone, so any number of processes
    makes the same images.
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
                return self._paint([drawn], size, rng)

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
        return self._paint(chosen, size, rng)

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

    def _paint(self, drawn: list[_Drawn], size: int, rng: np.random.Generator) -> Composed:
        """Background from one photograph, each digit from another one."""
        order = rng.permutation(len(self.photos))
        image = tone.background(self.photos[order[0]].crop(size, rng))
        for each, source in zip(drawn, order[1:], strict=False):
            part = tone.surroundings(each.mask)
            height, width = image[part].shape[:2]
            texture = self.photos[source].crop(max(height, width), rng)
            image[part] = tone.paint(
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


class _Drawn:
    """A digit before it is painted: label, place in scikit-learn's set, opacity (H, W)."""

    def __init__(self, label: int, digit: int, opacity: NDArray[np.uint8]) -> None:
        self.label, self.digit, self.opacity = label, digit, opacity
        self.mask = opacity >= tone.INK
        self.area = int(self.mask.sum())


def _visible(drawn: list[_Drawn]) -> list[NDArray[np.bool_]]:
    """Masks without what later digits cover."""
    covered = np.zeros_like(drawn[0].mask)
    masks = []
    for each in reversed(drawn):
        masks.append(each.mask & ~covered)
        covered |= each.mask
    return masks[::-1]
