"""Open every image of a folder and say which ones cannot be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from simmim_bench.data.prepare.parallel import Advance, in_parallel

SUFFIXES = (".jpg", ".jpeg", ".png")

# Pillow's for broken files
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass
class Part:
    """What was found in one part of a dataset."""

    name: str
    found: int
    expected: int | None = None
    """Less or more is a problem."""
    full: int | None = None
    """Of the published dataset; less is a subset of it."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """One image that was opened."""

    problem: str | None = None
    size: tuple[int, int] | None = None
    """Width and height."""


def image_files(folder: Path) -> list[Path]:
    """Images anywhere below ``folder``, sorted; links are followed."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        found += [Path(place, name) for name in names if name.lower().endswith(SUFFIXES)]
    return sorted(found)


def unreadable(files: list[Path], advance: Advance) -> list[str]:
    """One sentence for each file that cannot be decoded to its last byte."""
    return [seen.problem for seen in in_parallel(examine, files, advance) if seen.problem]


def examine(path: Path) -> Seen:
    """Decode one image to its last byte."""
    try:
        with Image.open(path) as image:
            image.load()
            return Seen(size=image.size)
    except BROKEN as error:
        return Seen(f"{path}: cannot be read ({error})")
