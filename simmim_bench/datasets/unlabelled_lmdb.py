"""Pretraining images in an LMDB, by index.

Addresses: ``lmdb://<folder>#<key>``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
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
        # An environment must not be used across a fork, nor opened again in a worker that
        # inherits it. Opening takes 0.1 ms, decoding an image some.
        with closing(open_lmdb(Path(path))) as environment, environment.begin() as transaction:
            content = transaction.get(unquote_to_bytes(key))
        if content is None:
            raise OSError(f"{path} has no such key any more")
        return bytes(content)

    def get_text(self, filepath: str) -> str:
        """The same as text."""
        return self.get(filepath).decode()
