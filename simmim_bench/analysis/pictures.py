"""Which images an analysis looks at, their classes, and how a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from simmim_bench.analysis.subject import Subject
from simmim_bench.errors import BenchError
from simmim_bench.generation.images import read_image
from simmim_bench.visualization.visualize import find_images

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
