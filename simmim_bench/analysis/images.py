"""Find and read the images and masks of users, and write results as PNG."""

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
from simmim_bench.data.image_files import required_images
from simmim_bench.data.pixels import FORMATS, Pixels, UnreadableImageError, read_pixels
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path

FEWEST = 4  # images of an analysis
LEAST_SIDE = 11  # pixels; the window of SSIM
HALF = 128  # of 255; brighter greys are white, larger alphas are opaque
MOST_DEEP = 2**16 - 1  # of the modes I and I;16, which Pillow uses for grey PNGs of 16 bits

PixelMask = NDArray[np.bool_]


def read_image(path: Path, *, upright: bool = False) -> Pixels:
    """Read the image at ``path``: (H, W, 3), uint8, RGB.

    Args:
        path: File.
        upright: Turn it as its orientation tag says, as a program does in which a mask is drawn
            upon it. Images of data sets are not turned, as in training.

    Raises:
        BenchError: If the file is missing, cannot be read, or is smaller than 11 pixels.
    """
    try:
        pixels = read_pixels(path, upright=upright)
    except UnreadableImageError as error:
        raise _unreadable("image", path, error) from error
    if min(pixels.shape[:2]) < LEAST_SIDE:
        height, width = pixels.shape[:2]
        raise BenchError(
            f"image {path} is {width}x{height}, expected sides of at least {LEAST_SIDE} "
            f"pixels; give a larger image"
        )
    return pixels


def read_mask(path: Path) -> PixelMask:
    """Read the mask at ``path``, turned upright: Bool, (H, W); True (white and opaque) = masked.

    Raises:
        BenchError: If the file is missing or not an image.
    """
    image = _open(path)
    white, opaque = (
        np.asarray(each) >= HALF for each in (image.convert("L"), image.getchannel("A"))
    )
    mask: PixelMask = white & opaque
    return mask


def write_png(pixels: Pixels, path: Path) -> None:
    """Write (H, W, 3) uint8 pixels to a PNG, atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")


def resized(pixels: Pixels, size: tuple[int, ...]) -> Pixels:
    """Resize ``pixels`` (H, W, 3) to ``size`` (height, width), bicubic with antialiasing."""
    height, width = size
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def name_outputs(paths: list[Path], folder: Path) -> list[Path]:
    """Path of a PNG in ``folder`` for each image, with the same stem.

    Raises:
        BenchError: If two would have the same name, or one would replace a given image.
    """
    targets = [folder / f"{path.stem}.png" for path in paths]
    for number, target in enumerate(targets):
        if target in targets[:number]:
            raise BenchError(
                f"two images would be written to {target}; call the tool twice, with different "
                f"--out"
            )
        if target.exists() and any(target.samefile(path) for path in paths):
            raise BenchError(f"{target} is one of the given images; give another --out")
    return targets


def find_images(given: Sequence[Path]) -> list[Path]:
    """Given files, and the images in given folders, sorted by path.

    Raises:
        BenchError: If a path does not exist, or a folder has no image.
    """
    found: list[Path] = []
    for path in given:
        if not path.exists():
            raise BenchError(f"image {path} does not exist; give files or folders of images")
        found += required_images(path) if path.is_dir() else [path]
    return found


@dataclass(frozen=True)
class Pictures:
    """Paths of images, with their classes if they are in class folders.

    Args:
        paths: Files.
        classes: Class folder of each image; empty if an image is outside of one, or there is only
            one class.
    """

    paths: tuple[Path, ...]
    classes: tuple[str, ...]


def choose(given: Sequence[Path], *, count: int) -> Pictures:
    """Choose at most ``count`` images of files and folders, evenly from their sorted list.

    Raises:
        BenchError: If there are fewer than 4, or a path does not exist.
    """
    if count < FEWEST:
        raise BenchError(f"--count must be an integer >= {FEWEST}, got {count}")
    known = {path: _class(path, folder) for folder in given for path in find_images([folder])}
    if len(known) < FEWEST:
        raise BenchError(
            f"found {len(known)} images, an analysis needs at least {FEWEST}; give more"
        )
    paths = sorted(known)
    places = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    chosen = tuple(paths[place] for place in places)
    classes = tuple(known[path] or "" for path in chosen)
    labelled = all(classes) and len(set(classes)) > 1
    return Pictures(chosen, classes if labelled else ())


def as_seen(paths: Sequence[Path], size: tuple[int, int]) -> np.ndarray[Any, np.dtype[Any]]:
    """Read images, cropped around the centre and resized: (B, H, W, 3), uint8, RGB.

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
    """Normalise (B, H, W, 3) uint8 as ``subject`` expects: (B, 3, H, W) float32."""
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (subject.mean, subject.std))
    return (images - mean) / std


def _unreadable(what: str, path: Path, error: Exception) -> BenchError:
    return BenchError(f"{what} {path} cannot be read as an image ({error}); give a PNG or JPEG")


def _open(path: Path) -> Image.Image:
    """Open a mask as RGBA of 8 bits, turned upright."""
    if not path.is_file():
        raise BenchError(f"mask {path} does not exist or is not a file; give an image file")
    try:
        with Image.open(path, formats=FORMATS) as opened:
            upright = ImageOps.exif_transpose(opened)
            return _eight_bits(upright).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable("mask", path, error) from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale greys of 16 bits to 8 bits, as a conversion would clip them."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    greys = np.asarray(image).clip(0, MOST_DEEP).astype(np.uint16)
    return Image.fromarray((greys >> 8).astype(np.uint8))


def _class(path: Path, folder: Path) -> str | None:
    parts = path.relative_to(folder).parts if folder.is_dir() else ()
    return parts[0] if len(parts) > 1 else None
