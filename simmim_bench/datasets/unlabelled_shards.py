"""Pretraining images in tar shards (webdataset's format), by index.

Addresses: ``shard://<file>#<offset>+<size>#<name>``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from mmengine.fileio import BaseStorageBackend, register_backend

from simmim_bench.data.shards import shard_files, shard_index
from simmim_bench.datasets.packed import PackedImages
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS

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
