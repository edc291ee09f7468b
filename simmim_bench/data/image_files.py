"""Find the image files of a folder, and open files so that nothing hangs; standard library only."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import kind_of

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm",
)  # fmt: skip
"""Suffixes of image files, in small or capital letters. The content decides how one is read."""

SHOWN = 3  # names in a sentence
UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and bytes that are not UTF-8."""


@dataclass
class Listing:
    """What is below a folder. Paths are relative to it, with ``/``, and in no order.

    Attributes:
        images: Files with the suffix of an image.
        skipped: Other files, and hidden files and folders.
        folders: Folders directly in it.
        problems: A sentence for each entry that cannot be an image although its name says so.
    """

    folder: Path
    suffixes: Sequence[str] = SUFFIXES
    images: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def checked(self) -> Listing:
        """This listing.

        Raises:
            BenchError: If it has problems; says the first.
        """
        if self.problems:
            first, *others = sorted(self.problems)
            more = f" (and {len(others)} more such entries)" if others else ""
            raise BenchError(f"{first}{more}")
        return self

    def paths(self) -> list[Path]:
        """Path of each image, sorted."""
        return sorted(Path(self.folder, name) for name in self.images)

    def note(self) -> str | None:
        """Sentence that counts and names what is skipped; None if nothing is."""
        if not self.skipped:
            return None
        return f"{self.folder}: {not_images(self.skipped)}"

    def nothing(self) -> str:
        """Sentence for a folder without images."""
        if not self.folder.is_dir():
            return f"{self.folder} does not exist or is not a folder; give a folder with images"
        kinds = Counter(Path(name).suffix.lower() or "no suffix" for name in self.skipped)
        found = ", ".join(f"{count} {shown(kind)}" for kind, count in kinds.most_common(5))
        supported = ", ".join(sorted(self.suffixes))
        return (
            f"{self.folder} has no images: found {found or 'no files'}, supported are {supported}; "
            f"{'convert the files or ' if found else ''}give another folder"
        )


def list_images(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> Listing:
    """List the images anywhere below ``folder``, without opening them; links are followed.

    Hidden files and folders are skipped. A link back to a folder above it, an image that is not a
    regular file, and a name that is not UTF-8 or has a control character are problems.

    Args:
        folder: Folder; nothing is found if it does not exist.
        suffixes: Of images, in small letters.
    """
    listing = Listing(folder, suffixes)
    if folder.is_dir():
        _walk(str(folder), "", (), listing)
    return listing


def image_files(folder: Path) -> list[Path]:
    """Paths of the images anywhere below ``folder``, sorted; links are followed.

    Raises:
        BenchError: If an entry cannot be an image although its name says so.
    """
    return list_images(folder).checked().paths()


def required_images(folder: Path) -> list[Path]:
    """As ``image_files``.

    Raises:
        BenchError: Also if there is no image; says what was found instead.
    """
    files = image_files(folder)
    if not files:
        raise BenchError(list_images(folder).nothing())
    return files


def not_images(names: Sequence[str]) -> str:
    """Count and name skipped files: ``2 files are not images and are skipped: a.txt, b.md``."""
    first = [shown(name) for name in sorted(names)[:SHOWN]]
    more = ", ..." if len(names) > SHOWN else ""
    what = (
        "1 file is not an image and is"
        if len(names) == 1
        else f"{len(names)} files are not images and are"
    )
    return f"{what} skipped: {', '.join(first)}{more}"


def shown(name: str | Path) -> str:
    """A name for a message: control characters and undecodable bytes are escaped."""
    return UNUSABLE.sub(lambda found: repr(found.group())[1:-1], str(name))


def read_regular(path: str | Path) -> bytes:
    """Content of a file; see ``open_regular``.

    Raises:
        OSError: If it is missing, unreadable or not a regular file.
    """
    with open_regular(path) as stream:
        return stream.readall()


def open_regular(path: str | Path) -> FileIO:
    """Open a file for reading; never waits, as opening a named pipe would.

    Raises:
        OSError: If it is missing, unreadable or not a regular file.
    """
    stream = FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(f"it is {kind_of(Path(path))}, expected a file")
    return stream


def _walk(place: str, below: str, above: tuple[tuple[int, int], ...], listing: Listing) -> None:
    """Add what is in the folder ``place``; ``above`` identifies the folders that lead there."""
    state = os.stat(place)  # noqa: PTH116  (a million paths)
    identity = (state.st_dev, state.st_ino)
    if identity in above:
        listing.problems.append(
            f"{shown(place)} is a symbolic link that leads back to a folder above it; remove it"
        )
        return
    with os.scandir(place) as entries:
        for entry in entries:
            _add(entry, below + entry.name, (*above, identity), listing)


def _add(
    entry: os.DirEntry[str], name: str, above: tuple[tuple[int, int], ...], listing: Listing
) -> None:
    is_image = entry.name.lower().endswith(tuple(listing.suffixes))
    is_folder = is_there(entry.is_dir)
    if entry.name.startswith(".") or not (is_image or is_folder):
        listing.skipped.append(name)
    elif UNUSABLE.search(entry.name):
        listing.problems.append(
            f"the name '{shown(entry.path)}' is not UTF-8 or has a control character; rename it"
        )
    elif is_folder:
        if "/" not in name:
            listing.folders.append(name)
        _walk(entry.path, f"{name}/", above, listing)
    elif is_there(entry.is_file):
        listing.images.append(name)
    else:
        what = kind_of(Path(entry.path))
        listing.problems.append(f"{shown(entry.path)} is {what}, not an image; remove it")


def is_there(test: object) -> bool:
    """Result of a test of a directory entry; a link that leads to itself is nothing."""
    try:
        return bool(test())  # type: ignore[operator]
    except OSError:
        return False
