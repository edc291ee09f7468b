"""The images to predict for: where they are, and how their results are named."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from simmim_bench.data.image_files import list_images
from simmim_bench.errors import BenchError


@dataclass(frozen=True)
class Given:
    """An image.

    Args:
        path: Its file, as given or as found in a given folder.
        name: Path relative to the given folder, with ``/``.
        stem: The same without suffix, unless another image has that.
    """

    path: Path
    name: str
    stem: str


def find_given(paths: Sequence[Path], suffixes: Sequence[str]) -> list[Given]:
    """All images of files and folders, each once, with names that differ.

    Raises:
        BenchError: If a folder has no image.
    """
    found = {_absolute(path): path for given in paths for path in _images(given, suffixes)}
    folders = [_absolute(path if path.is_dir() else path.parent) for path in paths]
    root = os.path.commonpath(folders)
    names = {path: path.relative_to(root).as_posix() for path in found}
    stems = {path: str(PurePath(name).with_suffix("")) for path, name in names.items()}
    count = Counter(stems.values())
    return [
        Given(given, names[path], stems[path] if count[stems[path]] == 1 else names[path])
        for path, given in found.items()
    ]


def check_exist(paths: Sequence[Path]) -> None:
    """Raise a ``BenchError`` for the first path that does not exist."""
    for path in paths:
        if not path.exists():
            raise BenchError(f"image {path} does not exist; give files or folders of images")


def _absolute(path: Path) -> Path:
    """Without ``..``; links stay, since their names are those that the user sees."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _images(given: Path, suffixes: Sequence[str]) -> list[Path]:
    if not given.is_dir():
        return [given]
    listing = list_images(given, suffixes).checked()
    if not listing.images:
        raise BenchError(listing.nothing())
    return listing.paths()
