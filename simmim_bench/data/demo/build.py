"""Build the demo data with several processes, in a temporary folder that is renamed at the end."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from simmim_bench.data.demo.contact_sheet import write_contact_sheet
from simmim_bench.data.demo.files import (
    ADE_SPLITS,
    DATASET_FILE,
    Job,
    Written,
    describe,
    make_folders,
    write_images,
    write_instances,
)
from simmim_bench.data.demo.language import add_language
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.data.layouts import home, missing
from simmim_bench.data.prepare.parallel import Advance, start_worker
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json

_CHUNK = 200  # images per job: few enough for a smooth progress bar
_MOST_PROCESSES = 4


@dataclass(frozen=True)
class Built:
    """Result of a build; ``seconds`` is 0 if the data existed."""

    folder: Path
    images: int
    seconds: float
    content_sha256: str


def build_demo(
    root: Path,
    spec: DemoSpec | None = None,
    *,
    processes: int | None = None,
    advance: Advance = lambda _: None,
) -> Built:
    """Build the demo data below ``root``, unless the same data exist.

    Args:
        root: Data root; the data are written to ``root/demo``.
        spec: Specification (default: the published demo data).
        processes: Number of processes (default: number of CPUs, at most 4). Does not change the
            data.
        advance: Called with the number of images written since the last call.

    Raises:
        BenchError: If ``root/demo`` has other files, or cannot be written.
    """
    spec = spec or DemoSpec()
    folder = home("demo", root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / ".demo.lock"):  # a second build at the same time finds the data
            return _existing(folder, spec) or _build(folder, spec, processes, advance)
    except OSError as error:
        raise BenchError(
            f"cannot write the demo data to {root.absolute()} ({error.strerror or error}); "
            "choose another folder with --out or SIMMIM_BENCH_DATA"
        ) from error


def image_count(spec: DemoSpec) -> int:
    """Number of images in all splits."""
    return sum(split.count for split in spec.splits())


def _existing(folder: Path, spec: DemoSpec) -> Built | None:
    """The data in ``folder`` if they are complete and have this spec, else None."""
    path = folder / DATASET_FILE
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise BenchError(
                f"{folder.absolute()} is not empty and has no {DATASET_FILE}, so it is not "
                "replaced; move it away or choose another --out"
            )
        return None
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        same = described["fingerprint"] == spec.fingerprint() and not missing("demo", folder)
        if same:
            add_language(folder, spec)  # older data have no captions
            return Built(folder, image_count(spec), 0.0, described["content_sha256"])
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _build(folder: Path, spec: DemoSpec, processes: int | None, advance: Advance) -> Built:
    if folder.is_symlink():
        raise BenchError(
            f"{folder} is a link to {folder.resolve()}, whose data have another specification, so "
            f"it is not replaced; remove the link or choose another --out"
        )
    started = time.monotonic()
    building, old = (folder.parent / f".{folder.name}.{state}" for state in ("building", "old"))
    for leftover in (building, old):  # of a killed build; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        content = _write(building, spec, processes, advance)
        if folder.exists():
            folder.rename(old)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return Built(folder, image_count(spec), time.monotonic() - started, content)


def _write(folder: Path, spec: DemoSpec, processes: int | None, advance: Advance) -> str:
    """Write everything into ``folder``; returns the content hash."""
    make_folders(spec, folder)
    jobs = [
        Job(spec, split, start, min(start + _CHUNK, split.count), folder)
        for split in spec.splits()
        for start in range(0, split.count, _CHUNK)
    ]
    written: dict[str, list[Written]] = {split.name: [] for split in spec.splits()}
    for job, part in zip(jobs, _run(jobs, processes or _default_processes()), strict=True):
        written[job.split.name] += part
        advance(len(part))
    content = hashlib.sha256()
    for split in spec.splits():
        content.update(f"{split.name} {split.count}\n".encode())
        content.update(b"".join(each.digest for each in written[split.name]))
        if split.name in ADE_SPLITS:
            write_instances(spec, split, written[split.name], folder)
    add_language(folder, spec)
    write_contact_sheet(folder)
    atomic_write_json(folder / DATASET_FILE, describe(spec, content.hexdigest()))
    return content.hexdigest()


def _run(jobs: list[Job], processes: int) -> Iterator[list[Written]]:
    """Results of ``jobs`` in their order."""
    if processes == 1:
        yield from map(write_images, jobs)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(jobs)), context, initializer=start_worker)
    try:
        yield from pool.map(write_images, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _default_processes() -> int:
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
