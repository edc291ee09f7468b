"""Unpack an archive beside a dataset that is being built, and take what is needed from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simmim_bench.data.prepare.unpack import unpack
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Path]:
    """Content of ``archive`` in a folder inside ``folder`` that vanishes afterwards."""
    raw = folder / f".{archive.name}"
    with progress_bar(f"unpacking {archive.name}", None, data=True) as advance:
        unpack(archive, raw, advance)
    try:
        yield raw
    finally:
        shutil.rmtree(raw, ignore_errors=True)


def moved(source: Path, folder: Path) -> None:
    """Move everything in ``source`` into ``folder``.

    Raises:
        BenchError: If there is no ``source``.
    """
    if not source.is_dir():
        raise BenchError(
            f"{source.parent.name.lstrip('.')} holds no folder {source.name}; get it again"
        )
    for entry in source.iterdir():
        entry.rename(folder / entry.name)
