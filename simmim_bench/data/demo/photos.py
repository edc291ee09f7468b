"""Photographs that are installed with scikit-image and scikit-learn; nothing is downloaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simmim_bench.errors import BenchError

SHORT_SIDE = 192
"""Photographs are reduced to this short side: a crop of 64 pixels then still shows something."""

COLOUR_CAST = 36.0
"""Largest shift of red and blue to either side, levels of 255; green balances their luma."""

_CC0 = "CC0"
_PUBLIC = "public domain"
_FREE = "no known copyright restrictions"
_UNSAID = "not stated; distributed with scikit-image"


@dataclass(frozen=True)
class Photo:
    """One photograph: file inside a package, its half, its licence as its package states it."""

    file: str
    half: str
    licence: str
    credit: str
    package: str = "skimage"
    square: float = 1.0
    """Share of the centre that is used; below 1 where the border is no photograph."""

    @property
    def name(self) -> str:
        """Short name."""
        return Path(self.file).stem

    def path(self) -> Path:
        """Where the installed package keeps the file.

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


def load_photos(half: str) -> list[Image.Image]:
    """Photographs of ``half`` (``train`` or ``val``), RGB, short side 192 pixels."""
    return [_load(photo) for photo in PHOTOS if photo.half == half]


def random_crop(photo: Image.Image, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Square piece of ``photo`` at a random place and scale, perhaps mirrored, with a colour cast.

    The cast keeps the grey levels; half of the photographs have no colour of their own.

    Returns:
        (size, size, 3), RGB, about 0 to 255; from a square of ``size`` to twice that many pixels.
    """
    side = int(rng.integers(size, min(size * 2, *photo.size) + 1))
    left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
    piece = photo.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    if rng.integers(2):
        piece = piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    red, blue = rng.uniform(-COLOUR_CAST, COLOUR_CAST, size=2)
    green = -(0.299 * red + 0.114 * blue) / 0.587
    levels: NDArray[np.float64] = np.asarray(piece) + np.array([red, green, blue])
    return levels


def _load(photo: Photo) -> Image.Image:
    with Image.open(photo.path()) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    margin_x, margin_y = (round(side * (1 - photo.square) / 2) for side in (width, height))
    image = image.crop((margin_x, margin_y, width - margin_x, height - margin_y))
    scale = SHORT_SIDE / min(image.size)
    reduced: Image.Image = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
    )
    return reduced
