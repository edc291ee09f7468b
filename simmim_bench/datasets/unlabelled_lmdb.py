"""Pretraining images in an LMDB, by index.

Addresses: ``lmdb://<folder>#<key>``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mmengine.fileio import BaseStorageBackend, register_backend

from simmim_bench.data.lmdb_store import lmdb_keys, open_lmdb
from simmim_bench.datasets.packed import PackedImages
from simmim_bench.registry import DATASETS

PREFIX = "lmdb"


@DATASETS.register_module()
class UnlabelledLMDB(PackedImages):
    """Every value of an LMDB as an encoded image, in the order of the keys, without labels.

    Args:
        kwargs: See ``PackedImages``.

    Raises:
        BenchError: If lmdb is not installed, or the LMDB cannot be read or is empty.
    """

    def addresses(self, place: Path) -> list[str]:
        """Address of each value of the LMDB at ``place``."""
        return [f"{PREFIX}://{place}#{quote_from_bytes(key, safe='')}" for key in lmdb_keys(place)]


@register_backend("simmim_bench.lmdb", prefixes=PREFIX)
class LMDBBackend(BaseStorageBackend):
    """Reads the bytes that an address of ``UnlabelledLMDB`` names."""

    def get(self, filepath: str) -> bytes:
        """Bytes of one image.

        Raises:
            OSError: If there is no such key.
        """
        path, _, key = filepath.removeprefix(f"{PREFIX}://").rpartition("#")
        with _opened(path).begin() as transaction:
            content = transaction.get(unquote_to_bytes(key))
        if content is None:
            raise OSError(f"{path} has no such key any more")
        return bytes(content)

    def get_text(self, filepath: str) -> str:
        """The same as text."""
        return self.get(filepath).decode()


@lru_cache(maxsize=8)
def _opened(path: str) -> Any:
    return open_lmdb(Path(path))


# An environment must not cross a fork, nor be open twice in a process (lmdb's documentation):
# it is closed before, and opened again by whoever reads next.
os.register_at_fork(before=_opened.cache_clear)
