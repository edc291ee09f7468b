"""Pretraining images in uncompressed tar shards (the format of webdataset), read by index.

Positions of the images in a shard are read from its headers once and saved beside it as
``<shard>.index.json``, if the folder can be written. An image has the address
``shard://<file>#<offset>+<size>#<name>``.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from mmengine.fileio import BaseStorageBackend, register_backend

from simmim_bench.data.image_files import SUFFIXES
from simmim_bench.data.packed import PackedImages
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.data.prepare.unpack import check_end, readable
from simmim_bench.data.smaller import contents
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, kind_of, parse_json, read_bytes
from simmim_bench.registry import DATASETS

SHARD_BYTES = 1 << 30
"""Size at which ``write_shards`` starts the next shard."""

PREFIX = "shard"
FORMAT = 2
"""Of an index; goes up when indexes that were written before are not to be trusted."""
_OPEN_FILES = 128  # per process; systems allow 1024

Entry = tuple[str, int, int]
"""Name, offset and size in bytes of an image."""


def shard_files(folder: Path) -> list[Path]:
    """Shards in ``folder``, sorted.

    Raises:
        BenchError: If there is none.
    """
    found = sorted(folder.glob("[!.]*.tar"))
    for path in found:
        if not path.is_file():
            raise BenchError(f"{path} is {kind_of(path)}, not a shard; remove it")
    if not found:
        raise BenchError(
            f"{folder} has no *.tar (compressed tars cannot be read by index); write shards with "
            "`simmim-bench data shards --source FOLDER --out FOLDER`"
        )
    return found


def shard_index(shard: Path) -> list[Entry]:
    """Images of ``shard`` in their order in the file.

    Raises:
        BenchError: If it is truncated, damaged or not a tar.
    """
    state = shard.stat()
    cache = shard.with_name(f"{shard.name}.index.json")
    of = {"format": FORMAT, "size": state.st_size, "modified_ns": state.st_mtime_ns}
    try:
        kept = parse_json(read_bytes(cache))
        if kept["of"] == of and kept["sha256"] == _sha256(kept["entries"]):
            return [(name, offset, size) for name, offset, size in kept["entries"]]
    except (OSError, ValueError, KeyError, TypeError, BenchError):
        pass  # no index, a damaged one, or one of another shard
    with readable(shard), tarfile.open(shard, "r:") as tar:
        entries = [
            (member.name, member.offset_data, member.size)
            for member in tar.getmembers()
            if member.isreg() and member.name.lower().endswith(SUFFIXES)
        ]
        check_end(tar, str(shard))
    with contextlib.suppress(OSError):  # the folder may be read-only
        atomic_write_text(
            cache, json.dumps({"of": of, "entries": entries, "sha256": _sha256(entries)})
        )
    return entries


def _sha256(entries: Any) -> str:
    """Hash of an index, to notice damage."""
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def shard_contents(folder: Path) -> list[tuple[str, int]]:
    """Name and size of each image of the shards in ``folder``."""
    return [
        (f"{shard.name}/{name}", size)
        for shard in shard_files(folder)
        for name, _, size in shard_index(shard)
    ]


def write_shards(
    images: list[Path],
    folder: Path,
    advance: Advance,
    *,
    limit: int = SHARD_BYTES,
    short_side: int | None = None,
) -> None:
    """Write ``images`` into ``folder/000000.tar``, ``000001.tar``, ...; names are running numbers.

    Args:
        images: Files; their bytes are not changed, unless they are reduced.
        folder: Existing folder.
        advance: Called with 1 after each image.
        limit: Size in bytes at which the next shard starts.
        short_side: See ``smaller.contents``.
    """
    with contextlib.ExitStack() as opened:
        tar: tarfile.TarFile | None = None
        number = 0
        for index, (suffix, content) in enumerate(contents(images, short_side)):
            if tar is None or tar.offset >= limit:
                opened.close()  # the shard before
                tar = opened.enter_context(tarfile.open(folder / f"{number:06d}.tar", "w"))
                number += 1
            info = tarfile.TarInfo(f"{index:09d}{suffix}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
            advance(1)


@DATASETS.register_module()
class UnlabelledShards(PackedImages):
    """Every image of every ``*.tar`` in a folder, without labels.

    Shards are sorted by name; images keep their order in a shard.

    Args:
        kwargs: See ``PackedImages``.

    Raises:
        BenchError: If there is no shard or no image, or a shard is damaged.
    """

    def addresses(self, place: Path) -> list[str]:
        """Address of each image of the shards in the folder ``place``."""
        found = [
            f"{PREFIX}://{shard}#{offset}+{size}#{quote(name, errors='surrogateescape')}"
            for shard in shard_files(place)
            for name, offset, size in shard_index(shard)
        ]
        if not found:
            raise BenchError(f"the shards in {place} have no image; expected {', '.join(SUFFIXES)}")
        return found


@register_backend("simmim_bench.shard", prefixes=PREFIX)
class ShardBackend(BaseStorageBackend):
    """Reads images by addresses of ``UnlabelledShards``."""

    def get(self, filepath: str) -> bytes:
        """Bytes of one image.

        Raises:
            OSError: If the shard is missing or shorter than its index states.
        """
        path, where, _ = filepath.removeprefix(f"{PREFIX}://").rsplit("#", 2)
        offset, size = map(int, where.split("+"))
        # pread uses no file position, which forked processes would share
        content = os.pread(_opened(path).fileno(), size, offset)
        if len(content) < size:
            raise OSError(f"{path} ends after {len(content)} of {size} bytes of this image")
        return content

    def get_text(self, filepath: str) -> str:
        """The same as text."""
        return self.get(filepath).decode()


@lru_cache(maxsize=_OPEN_FILES)
def _opened(path: str) -> BinaryIO:
    return Path(path).open("rb")
