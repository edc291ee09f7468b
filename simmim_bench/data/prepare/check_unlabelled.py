"""Check the images of a pretraining source: a folder, tar shards or an LMDB."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from simmim_bench.data.image_files import list_images
from simmim_bench.data.lmdb import lmdb_keys, reading
from simmim_bench.data.pixels import unusual_headers
from simmim_bench.data.prepare.check import Part, Seen, decoded, examine
from simmim_bench.data.prepare.parallel import Advance, in_parallel
from simmim_bench.data.shards import shard_files, shard_index
from simmim_bench.errors import BenchError

KINDS = ("images", "shards", "lmdb")


@dataclass(frozen=True)
class Piece:
    """One image: a file, a byte range of a shard, or a key of an LMDB."""

    path: Path
    name: str = ""
    byte_range: tuple[int, int] | None = None
    """Offset and size in bytes."""
    key: bytes | None = None


@dataclass(frozen=True)
class Source:
    """A part of a pretraining source and its images, not yet opened."""

    name: str
    pieces: list[Piece]
    problems: list[str]
    notes: list[str] = field(default_factory=list)


def list_sources(kind: str, place: Path) -> list[Source]:
    """List the images at ``place`` without opening them.

    Args:
        kind: One of ``KINDS``.
        place: Folder of images or of shards, or an LMDB.

    Raises:
        BenchError: If there is none.
    """
    if not place.exists():
        raise BenchError(f"--source {place} does not exist; check the path")
    if kind == "shards":
        return [_shard(path) for path in shard_files(place)]
    if kind == "lmdb":
        keys = lmdb_keys(place)
        shown = [(key, key.decode("utf-8", "backslashreplace")) for key in keys]
        return [Source(place.name, [Piece(place, name, key=key) for key, name in shown], [])]
    listing = list_images(place)
    notes = [note] if (note := listing.note()) else []
    return [Source(place.name, [Piece(path) for path in listing.paths()], listing.problems, notes)]


def check_sources(
    sources: list[Source], advance: Advance, channels: int | None = None
) -> list[Part]:
    """Decode every image completely.

    Args:
        sources: Of ``list_sources``.
        advance: Called with the number of images opened since the last call.
        channels: Number of bands, of any depth; None: RGB of 8 bits.
    """
    pieces = [piece for each in sources for piece in each.pieces]
    seen = iter(in_parallel(partial(decode, channels=channels), pieces, advance))
    parts = []
    for source in sources:
        results = [next(seen) for _ in source.pieces]
        problems = [*source.problems, *(one.problem for one in results if one.problem)]
        if not problems and not results:
            problems.append(f"{source.name}: has no image")
        unusual = unusual_headers([one.header for one in results if one.header])
        notes = [*source.notes, *([f"{source.name}: {unusual}"] if unusual else [])]
        parts.append(Part(source.name, len(results), problems=problems, notes=notes))
    return parts


def decode(piece: Piece, channels: int | None = None) -> Seen:
    """Decode one image completely."""
    if piece.byte_range is None and piece.key is None:
        return examine(piece.path, channels)
    return decoded(_content(piece), f"{piece.path}: {piece.name}", channels)


def _content(piece: Piece) -> bytes:
    if piece.byte_range is not None:
        offset, size = piece.byte_range
        with piece.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(size)
    with reading(piece.path) as transaction:
        return bytes(transaction.get(piece.key))


def _shard(path: Path) -> Source:
    try:
        entries = shard_index(path)
    except BenchError as error:
        return Source(path.name, [], [str(error)])
    return Source(
        path.name, [Piece(path, name, (start, size)) for name, start, size in entries], []
    )
