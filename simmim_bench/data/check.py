"""Open every image of a folder and say which ones cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png")

Advance = Callable[[int], None]
"""Told how many more images have been looked at."""


@dataclass
class Part:
    """What was found in one part of a dataset."""

    name: str
    found: int
    expected: int | None = None
    problems: list[str] = field(default_factory=list)


def image_files(folder: Path) -> list[Path]:
    """Images anywhere below ``folder``, sorted; links are followed."""
    found = []
    for place, _, names in os.walk(folder, followlinks=True):
        found += [Path(place, name) for name in names if name.lower().endswith(SUFFIXES)]
    return sorted(found)


def check_layout(folder: Path, entries: Iterable[str], advance: Advance) -> list[Part]:
    """Open every image of a dataset.

    Args:
        folder: Home of the dataset.
        entries: Its folders and files (``Layout.entries``).
        advance: Told of progress.

    Returns:
        One part per folder, and one for each entry that is missing.
    """
    parts = []
    for entry in entries:
        path = folder / entry
        if path.is_dir():
            files = image_files(path)
            problems = unreadable(files, advance)
            parts.append(Part(entry, len(files), problems=problems or _none_found(path, files)))
        elif not path.exists():
            parts.append(Part(entry, 0, problems=[f"{path}: missing"]))
    return parts


def unreadable(files: list[Path], advance: Advance) -> list[str]:
    """One sentence for each file that cannot be decoded to its last byte."""
    with ThreadPoolExecutor() as threads:  # Pillow decodes without the interpreter lock
        problems = []
        for problem in threads.map(_problem, files):
            advance(1)
            if problem:
                problems.append(problem)
        return problems


def _problem(path: Path) -> str | None:
    try:
        with Image.open(path) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # Pillow's for broken files
        return f"{path}: cannot be read ({error})"
    return None


def _none_found(path: Path, files: list[Path]) -> list[str]:
    return [] if files else [f"{path}: holds no image"]
