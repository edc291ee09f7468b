"""Images as the values of an LMDB; any keys, read in their order.

https://lmdb.readthedocs.io
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from simmim_bench.data.parallel import Advance
from simmim_bench.errors import BenchError

_BATCH = 1000  # images per transaction


def lmdb_package() -> Any:
    """The module ``lmdb``.

    Raises:
        BenchError: If it is not installed.
    """
    try:
        import lmdb
    except ImportError as error:
        raise BenchError(
            "LMDB needs the package lmdb, which is not installed; run `pip install "
            "'simmim_bench[lmdb]'`, or use tar shards"
        ) from error
    return lmdb


def open_lmdb(path: Path) -> Any:
    """Environment at ``path``, a folder or a file, for reading by many processes.

    Raises:
        BenchError: If it is no LMDB.
    """
    lmdb = lmdb_package()
    try:
        return lmdb.open(
            str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False
        )
    except lmdb.Error as error:
        raise BenchError(
            f"{path} cannot be opened as LMDB ({error}); expected a folder with data.mdb"
        ) from error


def lmdb_keys(path: Path) -> list[bytes]:
    """All keys, in the order of their bytes.

    Raises:
        BenchError: If there are none.
    """
    with closing(open_lmdb(path)) as environment, environment.begin() as transaction:
        keys = list(transaction.cursor().iternext(keys=True, values=False))
    if not keys:
        raise BenchError(f"{path} holds no image; expected one under each key")
    return keys


def write_lmdb(images: list[Path], folder: Path, advance: Advance) -> None:
    """Copy ``images`` into an LMDB at ``folder``; keys are numbers in their order.

    Args:
        images: Files; their bytes stay as they are.
        folder: Exists.
        advance: Told of images.
    """
    lmdb = lmdb_package()
    # a value takes whole pages of 4 KiB, and branches need some more; the file stays sparse
    size = sum(image.stat().st_size + 3 * 4096 for image in images) + (1 << 26)
    with closing(lmdb.open(str(folder), map_size=size, subdir=True, lock=False)) as environment:
        for start in range(0, len(images), _BATCH):
            with environment.begin(write=True) as transaction:
                for number, image in enumerate(images[start : start + _BATCH], start):
                    transaction.put(f"{number:09d}".encode(), image.read_bytes())
                    advance(1)
