"""Pack the images of a folder into tar shards or an LMDB, for pretraining."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from simmim_bench.data.lmdb import lmdb_package, write_lmdb
from simmim_bench.data.prepare.check import SUFFIXES, image_files
from simmim_bench.data.prepare.unpack import check_space, unfinished
from simmim_bench.data.shards import write_shards
from simmim_bench.errors import BenchError
from simmim_bench.progress import progress_bar

_WRITERS = {"shards": write_shards, "lmdb": write_lmdb}
_DATASETS = {"shards": "UnlabelledShards", "lmdb": "UnlabelledLMDB"}


def pack(kind: str, *, sources: list[str], out: Path | None, console: Console) -> int:
    """Copy every image below a folder, sorted by path, into ``out``; returns the exit code.

    Args:
        kind: ``shards`` or ``lmdb``.
        sources: The folder.
        out: New folder, which appears when all of it is there.
        console: Where to write.

    Raises:
        BenchError: If there is no image, ``out`` exists, or the disk is too small.
    """
    if len(sources) != 1 or out is None:
        raise BenchError(f"{kind} takes one --source FOLDER with images and a new --out FOLDER")
    if out.exists():
        raise BenchError(f"{out} exists; choose a new --out")
    images = image_files(Path(sources[0]))
    if not images:
        raise BenchError(f"--source {sources[0]} holds no image ({', '.join(SUFFIXES)})")
    if kind == "lmdb":
        lmdb_package()  # before anything is written
    size = sum(image.stat().st_size for image in images)
    with unfinished(out) as building, progress_bar("packing", len(images)) as advance:
        check_space(building, size, sources[0])
        _WRITERS[kind](images, building, advance)
    console.print(
        f"{out}: {len(images)} images; read it with dataset type simmim_bench.{_DATASETS[kind]}",
        soft_wrap=True,
    )
    return 0
