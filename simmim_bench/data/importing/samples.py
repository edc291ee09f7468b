"""The images of a recognised data set, one ``Sample`` each, whatever holds them."""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from simmim_bench.data.annotations import is_inside
from simmim_bench.data.bands import BAND_SUFFIXES, read_band_header
from simmim_bench.data.image_files import SUFFIXES, UNUSABLE, shown
from simmim_bench.data.inspect.found import Found, Split
from simmim_bench.data.inspect.parquet import read_rows
from simmim_bench.data.pixels import FORMATS, UnreadableImageError
from simmim_bench.errors import BenchError

SUFFIX_OF = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "TIFF": ".tif",
             "GIF": ".gif", "PPM": ".ppm"}  # fmt: skip
ONE = {"images": "image", "boxes": "box", "files": "file", "entries": "entry", "are": "is",
       "have": "has"}  # fmt: skip
SHOWN = 3  # names in a sentence
UNKNOWN, BANDS = ".png", ".tif"
"""Suffixes of what cannot be read, which is said later, and of what ``data.bands`` reads."""
LABEL_KEY, IMAGE_KEY = "label-", "image-"
"""Starts of keys of an LMDB with labels, as those of clovaai/deep-text-recognition-benchmark."""
CLASS_FILE = ".cls"  # of webdataset
LARGEST_LABEL = 1 << 12  # bytes


@dataclass(frozen=True)
class Sample:
    """One image.

    Attributes:
        name: Its path below the source, with ``/``; it decides the place in a split.
        path: Its file.
        split: ``train``, ``val``, ``test``, or empty.
        label: Name of its class, if it has one.
        label_file: Its label map, or its file with boxes.
        is_ours: Whether the file was written by this import, and may be moved.
    """

    name: str
    path: Path
    split: str = ""
    label: str | None = None
    label_file: Path | None = None
    is_ours: bool = False


@dataclass
class Skipped:
    """What is left out, by reason."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Leave out ``name``."""
        self.names.setdefault(reason, []).append(name)

    def sentences(self) -> Iterator[str]:
        """How many for each reason, and the first names."""
        for reason, names in self.names.items():
            first = ", ".join(shown(name) for name in sorted(names)[:SHOWN])
            more = ", ..." if len(names) > SHOWN else ""
            told = reason if len(names) > 1 else _of_one(reason)
            yield f"{len(names)} {told}: {first}{more}"


def _of_one(reason: str) -> str:
    """``image is damaged`` of ``images are damaged``; what is in brackets stays."""
    text, bracket, rest = reason.partition("(")
    for many, one in ONE.items():
        text = re.sub(rf"\b{many}\b", one, text, count=1)
    return text + bracket + rest


def samples_of(found: Found, scratch: Path, skipped: Skipped) -> list[Sample]:
    """All images of a recognised data set, sorted by name.

    Args:
        found: From ``inspect.recognise``.
        scratch: Folder for images that are inside of larger files; it is made if needed.
        skipped: What is left out is added.

    Raises:
        BenchError: If a packed file is damaged, or names a path that leaves its folder.
    """
    if found.is_packed:
        samples = list(_packed(found, scratch))
    else:
        samples = [each for split in found.splits for each in _plain(found, split, skipped)]
    # an image that several files list is of the part that one of them states
    stated_last = sorted(samples, key=lambda each: bool(each.split))
    unique = {sample.path: sample for sample in stated_last}
    return sorted(unique.values(), key=lambda each: each.name)


def _plain(found: Found, split: Split, skipped: Skipped) -> Iterator[Sample]:
    needs_label = found.task == "classification"
    needs_file = found.kind == "masks"
    for path in split.images:
        name = _below(path, found.root)
        label, file = split.class_names.get(path), split.label_files.get(path)
        if needs_label and not label:
            skipped.add("images without a class", name)
        elif needs_file and file is None:
            skipped.add("images without a label map", name)
        else:
            yield Sample(name, path, split.name, label, file)


def _below(path: Path, root: Path) -> str:
    base = root if root.is_dir() else root.parent
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name


def _packed(found: Found, scratch: Path) -> Iterator[Sample]:
    """Write the images of Parquet files, tar shards or an LMDB as files, bytes unchanged."""
    readers = {"parquet": _of_parquet, "shards": _of_shard, "lmdb": _of_lmdb}
    used: set[str] = set()  # without case, which some disks do not tell apart
    counts: Counter[str] = Counter()
    for split in found.splits:
        for file in split.images:
            for name, content, label in readers[found.kind](file, found):
                wanted = place = PurePosixPath(name)
                while str(place).casefold() in used:
                    counts[name] += 1
                    place = wanted.with_name(f"{wanted.stem}-{counts[name] + 1}{wanted.suffix}")
                used.add(str(place).casefold())
                target = scratch / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                below = target.relative_to(scratch).as_posix()
                yield Sample(below, target, split.name, label, is_ours=True)


Row = tuple[str, bytes, str | None]
"""Name, content and class of an image."""


def _of_parquet(file: Path, found: Found) -> Iterator[Row]:
    for row, (content, label) in enumerate(read_rows(file, found)):
        yield f"{safe_name(file.stem)}-{row:06d}{_suffix(content) or UNKNOWN}", content, label


def _of_shard(file: Path, found: Found) -> Iterator[Row]:
    """Images of a tar; an image and its class have the same name up to the first dot."""
    has_labels = bool(found.columns and found.columns[1])
    try:
        with tarfile.open(file, "r:") as tar:
            members = [member for member in tar if member.isreg()]
            labels = {}
            for member in members if has_labels else ():
                if member.name.endswith(CLASS_FILE) and member.size <= LARGEST_LABEL:
                    labels[_key(member.name)] = _text(_content(tar, member), file)
            for member in members:
                if member.name.lower().endswith((*SUFFIXES, *BAND_SUFFIXES)):
                    _check_inside(member.name, file)
                    name = "/".join(map(safe_name, PurePosixPath(member.name).parts))
                    yield name, _content(tar, member), labels.get(_key(member.name))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BenchError(f"{file} is damaged ({error}); restore it") from error


def _of_lmdb(file: Path, found: Found) -> Iterator[Row]:  # noqa: ARG001
    """Values of an LMDB that are images; their classes are under ``label-``, if there are any."""
    from simmim_bench.data.lmdb import check_lmdb, reading  # imports torch

    check_lmdb(file)
    with reading(file) as transaction:
        for key, content in transaction.cursor():
            name = key.decode("utf-8", "replace")
            if _suffix(content) is None:
                continue
            _check_inside(name, file)
            label = None
            if name.startswith(IMAGE_KEY):
                found_label = transaction.get((LABEL_KEY + name[len(IMAGE_KEY) :]).encode())
                label = found_label and _text(bytes(found_label[:LARGEST_LABEL]), file)
            place = "/".join(map(safe_name, PurePosixPath(name).parts))
            stem = place.rpartition(".")[0] if place.lower().endswith(SUFFIXES) else place
            yield f"{stem}{_suffix(content)}", bytes(content), label or None


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    return stream.read() if stream else b""


def _key(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"


def _text(content: bytes, file: Path) -> str:
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise BenchError(f"{file} has a class that is not text; write classes as UTF-8") from error


def _check_inside(name: str, file: Path) -> None:
    if not is_inside(name):
        raise BenchError(
            f"{file} names the image {shown(name)[:80]!r}, a path that leaves its folder; rename it"
        )


def _suffix(content: bytes) -> str | None:
    """Suffix for the content of an image; None if it is none."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return SUFFIX_OF[image.format or ""]
    except Exception:  # Pillow raises many kinds for what is no image
        return BANDS if _has_bands(content) else None


def _has_bands(content: bytes) -> bool:
    try:
        read_band_header(content)
    except UnreadableImageError:
        return False
    return True


def safe_name(text: str) -> str:
    """``text`` as the name of one file or folder that every reader accepts."""
    plain = UNUSABLE.sub("_", text).replace("/", "_").replace("\\", "_").strip()
    plain = f"_{plain[1:]}" if plain.startswith(".") else plain
    while len(plain.encode()) > 200:
        plain = plain[:-1]
    return plain or "_"
