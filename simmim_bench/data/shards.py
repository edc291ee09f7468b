"""Images in tar shards, as webdataset has them, but read by index: any order, any worker.

A shard is an uncompressed tar. Where each image lies in it is found once, by its headers, and kept
beside it in ``<shard>.index.json``, or only in memory where that folder cannot be written.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from mmengine.fileio import BaseStorageBackend, register_backend

from simmim_bench.data.layouts import SUFFIXES
from simmim_bench.data.packed import PackedImages
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.data.prepare.unpack import check_end, readable
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.registry import DATASETS

SHARD_BYTES = 1 << 30
"""A shard is closed when it is as large."""

Entry = tuple[str, int, int]
"""Name, offset and size in bytes of an image."""


def shard_files(folder: Path) -> list[Path]:
    """Shards in ``folder``, sorted.

    Raises:
        BenchError: If there is none.
    """
    found = sorted(folder.glob("*.tar"))
    if not found:
        raise BenchError(
            f"{folder} holds no *.tar (compressed ones cannot be read by index); write shards with "
            "`python tools/prepare_data.py shards --source FOLDER --out FOLDER`"
        )
    return found


def shard_index(shard: Path) -> list[Entry]:
    """Images of ``shard`` in the order in which they lie in it.

    Raises:
        BenchError: If it is truncated, damaged or no tar.
    """
    state = shard.stat()
    cache = shard.with_name(f"{shard.name}.index.json")
    of = {"size": state.st_size, "modified_ns": state.st_mtime_ns}
    try:
        kept = json.loads(cache.read_text("utf-8"))
        if kept["of"] == of:
            return [(name, offset, size) for name, offset, size in kept["entries"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no index yet, or of another shard
    with readable(shard), tarfile.open(shard, "r:") as tar:
        entries = [
            (member.name, member.offset_data, member.size)
            for member in tar.getmembers()
            if member.isreg() and member.name.lower().endswith(SUFFIXES)
        ]
        check_end(tar, str(shard))
    with contextlib.suppress(OSError):  # a folder of someone else's
        atomic_write_text(cache, json.dumps({"of": of, "entries": entries}))
    return entries


def write_shards(
    images: list[Path], folder: Path, advance: Advance, *, limit: int = SHARD_BYTES
) -> None:
    """Copy ``images`` into ``folder/000000.tar`` and on; names are numbers in their order.

    Args:
        images: Files; their bytes stay as they are.
        folder: Exists.
        advance: Told of images.
        limit: Bytes after which the next shard begins.
    """
    remaining = list(enumerate(images))[::-1]
    number = 0
    while remaining:
        with tarfile.open(folder / f"{number:06d}.tar", "w") as tar:
            while remaining and tar.offset < limit:
                index, image = remaining.pop()
                info = tarfile.TarInfo(f"{index:09d}{image.suffix.lower()}")
                info.size = image.stat().st_size
                with image.open("rb") as stream:
                    tar.addfile(info, stream)
                advance(1)
        number += 1


# Pretraining images in tar shards (webdataset's format), by index.
#
# Addresses: ``shard://<file>#<offset>+<size>#<name>``.


PREFIX = "shard"
_OPEN_FILES = 128  # of a process; systems allow 1024


@DATASETS.register_module()
class UnlabelledShards(PackedImages):
    """Every image of every ``*.tar`` in a folder, without labels.

    Shards are in the order of their names, images in the order in which they lie in a shard.

    Args:
        kwargs: See ``PackedImages``.

    Raises:
        BenchError: If there is no shard, none holds an image, or one is damaged.
    """

    def addresses(self, place: Path) -> list[str]:
        """Address of each image of the shards in the folder ``place``."""
        found = [
            f"{PREFIX}://{shard}#{offset}+{size}#{quote(name)}"
            for shard in shard_files(place)
            for name, offset, size in shard_index(shard)
        ]
        if not found:
            raise BenchError(f"the shards in {place} hold no image; expected jpg, jpeg or png")
        return found


@register_backend("simmim_bench.shard", prefixes=PREFIX)
class ShardBackend(BaseStorageBackend):
    """Reads the bytes that an address of ``UnlabelledShards`` names."""

    def get(self, filepath: str) -> bytes:
        """Bytes of one image.

        Raises:
            OSError: If the shard is gone or shorter than its index says.
        """
        path, where, _ = filepath.removeprefix(f"{PREFIX}://").rsplit("#", 2)
        offset, size = map(int, where.split("+"))
        # pread has no position that processes after a fork would share
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
