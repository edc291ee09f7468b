"""Photographs of scikit-image and scikit-learn, and handwritten digits of scikit-learn.

The digits have 8x8 pixels of 17 levels (E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten
Digits, UCI, 1998). Each value counts the ink in a block of 4x4 binary pixels, so the contour of a
smooth interpolation follows the pen.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from simmim_bench.errors import BenchError

LARGEST, SMALLEST, SCALES = 192, 96, 7
"""Short sides of a photograph at its scales, chosen so that crops of 64 pixels show something."""

COLOUR_CAST = 36.0
"""Largest shift of red and blue in either direction, of 255; green keeps the luma."""

_CC0 = "CC0"
_PUBLIC = "public domain"
_FREE = "no known copyright restrictions"
_UNSAID = "not stated; distributed with scikit-image"

VAL_START = 1287
"""First validation digit. Digits are ordered by writer; a new writer starts here."""

_CELLS, _MARGIN, _CELL_PIXELS = 8, 1, 8
_SIDE = (_CELLS + 2 * _MARGIN) * _CELL_PIXELS
_EDGE = 0.65  # of full ink, after sharpening: loops stay open and thin strokes connected


@dataclass(frozen=True)
class Photo:
    """One photograph: its file in a package, its half, and its licence as the package states it."""

    file: str
    half: str
    licence: str
    credit: str
    package: str = "skimage"
    square: float = 1.0
    """Share of the sides that is used, around the centre; < 1 to leave out a border."""

    @property
    def name(self) -> str:
        """Short name."""
        return Path(self.file).stem

    def path(self) -> Path:
        """Path of the file in the installed package.

        Raises:
            BenchError: If the package or the file is not installed.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise BenchError(f"package {self.package} is not installed; run `make setup`")
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise BenchError(
                f"photograph {path} is missing from the installed {self.package}; "
                "run `make setup` again"
            )
        return path


PHOTOS = (
    Photo("data/astronaut.png", "train", _PUBLIC, "NASA"),
    Photo("data/brick.png", "train", _CC0, "CC0Textures"),
    Photo("data/camera.png", "train", _CC0, "Lav Varshney"),
    Photo("data/coffee.png", "train", _CC0, "Rachel Michetti"),
    Photo("data/coins.png", "train", _FREE, "Brooklyn Museum Collection"),
    Photo("data/grass.png", "train", _CC0, "linolafett"),
    Photo("data/hubble_deep_field.jpg", "train", _PUBLIC, "NASA"),
    Photo("data/ihc.png", "train", _FREE, "Center for Microscopy And Molecular Imaging"),
    Photo("data/moon.png", "train", _UNSAID, "not stated"),
    Photo("data/motorcycle_left.png", "train", _UNSAID, "Middlebury Stereo Datasets"),
    Photo("datasets/images/china.jpg", "train", "CC BY 2.0", "danielbuechele", "sklearn"),
    Photo("data/chelsea.png", "val", _CC0, "Stefan van der Walt"),
    Photo("data/gravel.png", "val", _CC0, "CC0Textures"),
    Photo("data/retina.jpg", "val", _CC0, "Mikael Häggström", square=0.66),
    Photo("data/rocket.jpg", "val", _PUBLIC, "SpaceX"),
    Photo("datasets/images/flower.jpg", "val", "CC BY 2.0", "vultilion", "sklearn"),
)


class Pyramid:
    """A photograph at several scales, so that a crop at any of them is a slice.

    Attributes:
        scales: (H, W, 3), uint8, RGB each; short sides from 192 down to 96 pixels.
    """

    def __init__(self, image: Image.Image) -> None:
        sides = np.linspace(LARGEST, SMALLEST, SCALES).round().astype(int)
        self.scales = [_reduced(image, int(side)) for side in sides]

    def crop(self, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Square crop at a random scale and place, perhaps mirrored, with a colour cast.

        The cast keeps the grey levels. Half of the photographs are grey.

        Returns:
            (size, size, 3), RGB, about 0 to 255.

        Raises:
            ValueError: If ``size`` exceeds the short side at every scale.
        """
        candidates = [scale for scale in self.scales if min(scale.shape[:2]) >= size]
        if not candidates:
            raise ValueError(f"a crop of {size} pixels does not fit; at most {LARGEST}")
        photo = candidates[rng.integers(len(candidates))]
        top, left = (int(rng.integers(0, length - size + 1)) for length in photo.shape[:2])
        step = 1 - 2 * int(rng.integers(2))
        piece = photo[top : top + size, left : left + size][:, ::step]
        red, blue = rng.uniform(-COLOUR_CAST, COLOUR_CAST, size=2)
        green = -(0.299 * red + 0.114 * blue) / 0.587
        levels: NDArray[np.float64] = piece + np.array([red, green, blue])
        return levels


@functools.cache
def load_photos(half: str) -> tuple[Pyramid, ...]:
    """Photographs of ``half`` (``train`` or ``val``), read once per process."""
    return tuple(Pyramid(_load(photo)) for photo in PHOTOS if photo.half == half)


def _load(photo: Photo) -> Image.Image:
    with Image.open(photo.path()) as opened:
        image: Image.Image = opened.convert("RGB")
    width, height = image.size
    margin_x, margin_y = (round(side * (1 - photo.square) / 2) for side in (width, height))
    centre: Image.Image = image.crop((margin_x, margin_y, width - margin_x, height - margin_y))
    return centre


def _reduced(image: Image.Image, short_side: int) -> NDArray[np.uint8]:
    scale = short_side / min(image.size)
    size = round(image.width * scale), round(image.height * scale)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class Digits:
    """Digits of one half.

    Attributes:
        fields: (N, 80, 80), uint8: ink density, interpolated, with a margin of one cell of 8.
        labels: (N,), 0 to 9.
        indices: (N,), positions among scikit-learn's 1797 digits.
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
    """Pose of a digit in an image: side and centre (x, y) in pixels, angle in degrees clockwise."""

    side: float
    centre: tuple[float, float]
    angle: float


def half_indices(half: str) -> range:
    """Positions of the digits of ``train`` or ``val`` in scikit-learn's set."""
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
    gain = max(pose.side / 18, 1.0)  # larger digits have softer interpolated edges
    levels = (np.arange(256) - 255 * _EDGE) * gain + 127.5
    table: NDArray[np.uint8] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.take(table, np.asarray(warped))


def _field(raw: NDArray[np.float64]) -> NDArray[np.uint8]:
    ink = np.pad(raw * (255 / 16), _MARGIN).astype(np.uint8)
    large = Image.fromarray(ink).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    smooth = large.filter(ImageFilter.GaussianBlur(1))
    return np.asarray(smooth.filter(ImageFilter.UnsharpMask(radius=6, percent=200, threshold=0)))
