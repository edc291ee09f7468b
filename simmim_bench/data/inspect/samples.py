"""Images of a recognised data set, wherever they are: files, rows of tables, members of shards."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simmim_bench.data.bands import BAND_SUFFIXES, read_band_header
from simmim_bench.data.image_files import SUFFIXES, shown
from simmim_bench.data.inspect.found import Found, Split
from simmim_bench.data.inspect.parquet import count_rows, read_rows
from simmim_bench.data.labels import spread
from simmim_bench.data.pixels import TURNS, UnreadableImageError, read_header
from simmim_bench.data.rasters import BandHeader
from simmim_bench.errors import BenchError


@dataclass(frozen=True)
class Sample:
    """One image.

    Attributes:
        name: For messages: its path below the root, or its place in a larger file.
        split: As of ``Split.name``.
        source: Its file, or its encoded bytes.
        label: Name of its class; empty if it has none or that is elsewhere.
    """

    name: str
    split: str
    source: Path | bytes
    label: str = ""


@dataclass(frozen=True)
class Opened:
    """What the header of an image says, or why it cannot be read."""

    name: str
    header: BandHeader | None = None
    problem: str = ""
    is_turned: bool = False
    frames: int = 1
    split: str = ""


def count_images(found: Found) -> dict[str, int]:
    """Number of images of each split.

    Raises:
        BenchError: If a file with images in it cannot be read.
    """
    counts: dict[str, int] = {}
    for split in found.splits:
        number = len(split.images)
        if found.is_packed:
            number = sum(_count(found.kind, path) for path in split.images)
        counts[split.name] = counts.get(split.name, 0) + number
    return counts


def pick(found: Found, number: int) -> Iterator[Sample]:
    """About ``number`` images, spread over the splits in proportion to their files.

    Of Parquet files the first rows are taken, since whole groups of rows are read.
    """
    files = sum(len(split.images) for split in found.splits)
    for split in found.splits:
        share = max(1, round(number * len(split.images) / max(1, files)))
        if not found.is_packed:
            for path in spread(list(split.images), share):
                name = shown(path.relative_to(found.listing.folder))
                yield Sample(name, split.name, path, split.class_names.get(path, ""))
        else:
            places = spread(list(split.images), share)
            for path in places:
                yield from _inside(found, split, path, max(1, share // len(places)))


def open_header(sample: Sample) -> Opened:
    """Read the header of an image."""
    try:
        header = read_band_header(sample.source)
    except UnreadableImageError as error:
        return Opened(sample.name, problem=str(error), split=sample.split)
    try:
        known = read_header(sample.source)
    except UnreadableImageError:  # many bands
        return Opened(sample.name, header)
    return Opened(sample.name, header, is_turned=known.orientation in TURNS, frames=known.frames)


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image."""
    return name.lower().endswith((*SUFFIXES, *BAND_SUFFIXES))


def _count(kind: str, path: Path) -> int:
    if kind == "parquet":
        return count_rows(path)
    if kind == "shards":
        return len(_members(path))
    from simmim_bench.data.lmdb import lmdb_keys

    return len(lmdb_keys(path))


def _inside(found: Found, split: Split, path: Path, number: int) -> Iterator[Sample]:
    """Images in a larger file."""
    if found.kind == "parquet":
        rows = read_rows(path, found)
        for row, (content, label) in zip(range(number), rows, strict=False):
            yield Sample(f"{path.name}, row {row + 1}", split.name, content, label or "")
    elif found.kind == "shards":
        yield from _in_shard(split, path, number)
    else:
        from simmim_bench.data.lmdb import lmdb_keys, reading

        keys = spread(lmdb_keys(path), number)
        with reading(path) as transaction:
            for key in keys:
                name = key.decode("utf-8", "backslashreplace")
                yield Sample(f"{path.name}, {shown(name)}", split.name, bytes(transaction.get(key)))


def _in_shard(split: Split, path: Path, number: int) -> Iterator[Sample]:
    everything = {member.name: member for member in _members(path, labels=True)}
    images = [name for name in everything if is_image(name)]
    with closing(tarfile.open(path, "r:")) as tar:
        for name in spread(images, number):
            label = everything.get(name.removesuffix(PurePosixPath(name).suffix) + ".cls")
            text = _content(tar, label)[:100].decode("utf-8", "replace") if label else ""
            content = _content(tar, everything[name])
            yield Sample(f"{path.name}, {shown(name)}", split.name, content, text.strip())


def class_files(path: Path) -> Iterator[str]:
    """Content of the ``.cls`` files in a shard."""
    members = _members(path, labels=True)
    with closing(tarfile.open(path, "r:")) as tar:
        for member in members:
            if member.name.endswith(".cls"):
                yield _content(tar, member)[:100].decode("utf-8", "replace").strip()


def _members(path: Path, *, labels: bool = False) -> list[tarfile.TarInfo]:
    """Images in a tar, and with ``labels`` files of classes."""
    try:
        with tarfile.open(path, "r:") as tar:
            found = [member for member in tar.getmembers() if member.isreg()]
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BenchError(f"{path} is truncated or damaged ({error}); restore it") from error
    return [
        member
        for member in found
        if is_image(member.name) or (labels and member.name.endswith(".cls"))
    ]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member)
    return opened.read() if opened else b""
