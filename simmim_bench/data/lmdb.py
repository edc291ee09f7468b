"""Pretraining images as values of an LMDB (https://lmdb.readthedocs.io), read by index.

Keys are arbitrary. An image has the address ``lmdb://<folder>#<key>``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mmengine.fileio import BaseStorageBackend, register_backend

from simmim_bench.data.packed import PackedImages
from simmim_bench.data.prepare.parallel import Advance
from simmim_bench.data.smaller import contents
from simmim_bench.errors import BenchError
from simmim_bench.io import kind_of
from simmim_bench.registry import DATASETS

PREFIX = "lmdb"
_BATCH = 1000  # images per transaction
_LIST = """
import lmdb, sys
path, is_folder = sys.argv[1:]
options = {"readonly": True, "lock": False, "readahead": False}
environment = lmdb.open(path, subdir=is_folder == "True", **options)
for key, value in environment.begin(buffers=True).cursor():
    len(value)
"""
_SECONDS = 600  # a million images take two


def lmdb_package() -> Any:
    """The module ``lmdb``.

    Raises:
        BenchError: If it is not installed.
    """
    try:
        import lmdb
    except ImportError as error:
        raise BenchError(
            "the package lmdb is not installed; run `pip install 'simmim_bench[lmdb]'`, or use "
            "tar shards"
        ) from error
    return lmdb


def open_lmdb(path: Path) -> Any:
    """Environment at ``path``, a folder or a file, for reading by many processes.

    Raises:
        BenchError: If it is not an LMDB.
    """
    lmdb = lmdb_package()
    file = path / "data.mdb" if path.is_dir() else path
    if file.exists() and not file.is_file():
        raise BenchError(f"{file} is {kind_of(file)}, not an LMDB; give another path")
    try:
        return lmdb.open(
            str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False
        )
    except lmdb.Error as error:
        raise BenchError(
            f"{path} cannot be opened as LMDB ({error}); expected a folder with data.mdb"
        ) from error


@contextmanager
def reading(path: Path, *, buffers: bool = False) -> Iterator[Any]:
    """A transaction that reads the LMDB at ``path``.

    Args:
        path: Folder or file.
        buffers: Give keys and values as memory views, which are not read before they are used.

    Raises:
        BenchError: If it is not an LMDB or is damaged.
    """
    lmdb = lmdb_package()
    try:
        with (
            closing(open_lmdb(path)) as environment,
            environment.begin(buffers=buffers) as transaction,
        ):
            yield transaction
    except lmdb.Error as error:
        raise BenchError(f"{path} is damaged ({error}); restore it, or pack it again") from error


def check_lmdb(path: Path) -> None:
    """List an LMDB in another process: its library maps the file, and damage can end the process.

    Raises:
        BenchError: If that process died, or did not end.
    """
    command = [sys.executable, "-c", _LIST, str(path), str(path.is_dir())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        problem = f"listing it takes more than {_SECONDS} s"
    else:
        if done.returncode >= 0:  # an error is told by the reader
            return
        problem = f"listing it ends a process with signal {-done.returncode}"
    raise BenchError(f"{path} is damaged ({problem}); restore it, or pack it again")


def lmdb_keys(path: Path) -> list[bytes]:
    """All keys, sorted by their bytes.

    Raises:
        BenchError: If there are none, or the LMDB is damaged.
    """
    check_lmdb(path)
    with reading(path) as transaction:
        keys = list(transaction.cursor().iternext(keys=True, values=False))
    if not keys:
        raise BenchError(f"{path} is empty; expected an image under each key")
    return keys


def lmdb_contents(path: Path) -> list[tuple[str, int]]:
    """Key and size of each image, sorted by key; images are not read.

    Raises:
        BenchError: If the LMDB is damaged.
    """
    check_lmdb(path)
    with reading(path, buffers=True) as transaction:
        return [(bytes(key).hex(), len(value)) for key, value in transaction.cursor()]


def write_lmdb(
    images: list[Path], folder: Path, advance: Advance, *, short_side: int | None = None
) -> None:
    """Write ``images`` into an LMDB at ``folder``; keys are running numbers.

    Args:
        images: Files; their bytes are not changed, unless they are reduced.
        folder: Existing folder.
        advance: Called with 1 after each image.
        short_side: See ``smaller.contents``.
    """
    lmdb = lmdb_package()
    # values take whole pages of 4 KiB, and branches some more; the file is sparse
    size = sum(image.stat().st_size + 3 * 4096 for image in images) + (1 << 26)
    size += 4 * len(images) * (short_side or 0) ** 2  # a small file of a large image may grow
    with closing(lmdb.open(str(folder), map_size=size, subdir=True, lock=False)) as environment:
        numbered = enumerate(contents(images, short_side))
        while batch := list(islice(numbered, _BATCH)):
            with environment.begin(write=True) as transaction:
                for number, (_, content) in batch:
                    transaction.put(f"{number:09d}".encode(), content)
                    advance(1)


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
    """Reads images by addresses of ``UnlabelledLMDB``."""

    def get(self, filepath: str) -> bytes:
        """Bytes of one image.

        Raises:
            OSError: If there is no such key.
        """
        path, _, key = filepath.removeprefix(f"{PREFIX}://").rpartition("#")
        # An environment must not be used across a fork, nor opened again in a worker that
        # inherits it. Opening takes 0.1 ms, decoding an image several.
        with reading(Path(path)) as transaction:
            content = transaction.get(unquote_to_bytes(key))
        if content is None:
            raise OSError(f"{path} has no key {key}")
        return bytes(content)

    def get_text(self, filepath: str) -> str:
        """The same as text."""
        return self.get(filepath).decode()
