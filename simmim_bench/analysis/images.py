"""Read a user's images and masks as arrays, and write results without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from simmim_bench.analysis.models import Subject
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path

LEAST_SIDE = 11  # pixels: the window of SSIM
HALF = 128  # of 255: from here on a grey is white, and a pixel opaque
MOST_DEEP = 2**16 - 1  # of the modes I and I;16, in which Pillow has grey PNGs of 16 bits

Pixels = NDArray[np.uint8]
Marks = NDArray[np.bool_]


def read_image(path: Path) -> Pixels:
    """The image at ``path``: (H, W, 3), uint8, RGB, turned as its orientation tag says.

    Raises:
        BenchError: If the file is missing, no image, or smaller than 11 pixels.
    """
    pixels = np.asarray(_open(path, "image").convert("RGB"))
    if min(pixels.shape[:2]) < LEAST_SIDE:
        height, width = pixels.shape[:2]
        raise BenchError(
            f"image {path} is {width}x{height}, expected at least {LEAST_SIDE} pixels a side; "
            f"give a larger image"
        )
    return pixels


def read_marks(path: Path) -> Marks:
    """The mask at ``path``: Bool, (H, W); True (white and opaque) = to be painted.

    Raises:
        BenchError: If the file is missing or no image.
    """
    mask = _open(path, "mask")
    marks: Marks = (np.asarray(mask.convert("L")) >= HALF) & (
        np.asarray(mask.getchannel("A")) >= HALF
    )
    return marks


def write_png(pixels: Pixels, path: Path) -> None:
    """Write (H, W, 3) uint8 pixels, atomically and without loss."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def resized(pixels: Pixels, size: tuple[int, ...]) -> Pixels:
    """``pixels`` (H, W, 3) at ``size`` (height, width), bicubic with antialiasing."""
    height, width = size
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def name_outputs(paths: list[Path], folder: Path) -> list[Path]:
    """A PNG in ``folder`` for each path, by its stem.

    Raises:
        BenchError: If two would have one name, or one would replace a given image.
    """
    targets = [folder / f"{path.stem}.png" for path in paths]
    for number, target in enumerate(targets):
        if target in targets[:number]:
            raise BenchError(
                f"two images would be written to {target}; give them in two calls with "
                f"another --out"
            )
        if target.exists() and any(target.samefile(path) for path in paths):
            raise BenchError(f"{target} is one of the given images; give another --out")
    return targets


def _open(path: Path, what: str) -> Image.Image:
    """The picture in ``path``, turned upright: 8 bits, RGBA."""
    if not path.is_file():
        raise BenchError(f"{what} {path} does not exist or is a folder; give an image file")
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened)
            return _eight_bits(upright).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BenchError(
            f"{what} {path} cannot be read as an image ({error}); give a PNG or JPEG"
        ) from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greys of 16 bits scaled to 8, which a conversion would clip; others as they are."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    greys = np.asarray(image).clip(0, MOST_DEEP).astype(np.uint16)
    return Image.fromarray((greys >> 8).astype(np.uint8))


ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def find_images(given: Sequence[Path]) -> list[Path]:
    """Files as given, and the images of folders, sorted.

    Raises:
        BenchError: If a path does not exist, or a folder holds no image.
    """
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise BenchError(f"image {path} does not exist; give files or folders of images")
        inside = [path]
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        if not inside:
            raise BenchError(f"{path} holds no image ({', '.join(sorted(ENDINGS))})")
        found += inside
    return found


# Which images an analysis looks at, their classes, and how a model sees them.


FEWEST = 4


@dataclass(frozen=True)
class Pictures:
    """Images by path, with the class of each where folders give classes.

    Args:
        paths: Files.
        classes: Name of the folder below the given one, for each image; empty if images lie
            outside such folders or all in one.
    """

    paths: tuple[Path, ...]
    classes: tuple[str, ...]


def choose(given: Sequence[Path], *, count: int) -> Pictures:
    """At most ``count`` images of files and folders, evenly spread over their sorted list.

    Raises:
        BenchError: If there are fewer than 4, or a path does not exist.
    """
    if count < FEWEST:
        raise BenchError(f"--count is {count}, expected at least {FEWEST} images")
    known = {path: _class(path, folder) for folder in given for path in find_images([folder])}
    if len(known) < FEWEST:
        raise BenchError(
            f"{len(known)} images are given, an analysis compares at least {FEWEST}; give a folder"
        )
    paths = sorted(known)
    places = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    chosen = tuple(paths[place] for place in places)
    classes = tuple(known[path] or "" for path in chosen)
    labelled = all(classes) and len(set(classes)) > 1
    return Pictures(chosen, classes if labelled else ())


def as_seen(paths: Sequence[Path], size: tuple[int, int]) -> np.ndarray[Any, np.dtype[Any]]:
    """Images cropped at the centre and resized: (B, H, W, 3), uint8, RGB.

    Raises:
        BenchError: If an image cannot be read.
    """
    height, width = size
    fitted = [
        ImageOps.fit(Image.fromarray(read_image(path)), (width, height), Image.Resampling.BICUBIC)
        for path in paths
    ]
    return np.stack([np.asarray(image) for image in fitted])


def normalised(pixels: np.ndarray[Any, np.dtype[Any]], subject: Subject) -> Tensor:
    """(B, H, W, 3) uint8 as ``subject`` takes it, (B, 3, H, W) float32."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (subject.mean, subject.std))
    return (images - mean) / std


def _class(path: Path, folder: Path) -> str | None:
    parts = path.relative_to(folder).parts if folder.is_dir() else ()
    return parts[0] if len(parts) > 1 else None
