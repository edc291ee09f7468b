"""Records on disk: ``<method>__<backbone>/<run id>.json``, append-only, safe for many writers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from filelock import FileLock

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.results.beside import MANY, beside
from simmim_bench.results.heap import collector_paused
from simmim_bench.results.record import SEAL_CHECKED_BESIDE, Record
from simmim_bench.results.schema import read_model

REMEDY = "restore the file, or delete it and collect again with `tools/leaderboard.py build`"
LOCK_SECONDS = 60
BESIDE = 0.85
"""Share of many records whose seals another process checks; it takes as long as all of the rest."""

Outcome = Literal["added", "present", "repeated"]


def record_path(folder: Path, record: Record) -> Path:
    """Where ``record`` is kept under ``folder``."""
    return folder / _folder_name(record) / f"{record.run_id}.json"


def _folder_name(record: Record) -> str:
    return f"{record.method}__{record.backbone}"


def read_record(path: Path, *, context: dict[str, str] | None = None) -> Record:
    """Read one record.

    Args:
        path: File.
        context: ``SEAL_CHECKED_BESIDE``, or None.

    Raises:
        BenchError: If it is missing, no JSON, not valid or changed since it was written.
    """
    return read_model(Record, path, remedy=REMEDY, context=context)


def read_records(folder: Path) -> list[Record]:
    """Read every record under ``folder``, in the order of their paths.

    Raises:
        BenchError: If there is none, or one is not valid or not where it belongs.
    """
    with records_under(folder) as records:
        return records


@contextmanager
def records_under(folder: Path) -> Iterator[list[Record]]:
    """The same for a block that writes nothing: seals of many records are checked beside it.

    Raises:
        BenchError: As ``read_records``, for a broken seal at the end of the block.
    """
    paths = _paths(folder)
    if not paths:
        raise BenchError(
            f"{folder} holds no records; run `python tools/leaderboard.py build --work-dir DIR` on "
            f"the work dir of a finished suite"
        )
    others = paths[: int(len(paths) * BESIDE)] if len(paths) >= MANY else []

    def check_others() -> None:
        for path in others:
            read_record(path)

    with collector_paused(), beside(check_others, worth_it=bool(others)):
        quick = [read_record(path, context=SEAL_CHECKED_BESIDE) for path in others]
        records = [*quick, *(read_record(path) for path in paths[len(others) :])]
        _check_places(paths, records)
        yield records


def _check_places(paths: list[Path], records: list[Record]) -> None:
    for path, record in zip(paths, records, strict=True):
        if (path.parent.name, path.name) != (_folder_name(record), f"{record.run_id}.json"):
            place = record_path(path.parents[1], record)
            raise BenchError(f"{path} belongs at {place}; move it there, or delete the copy")


def _paths(folder: Path) -> list[Path]:
    """Files of records, by folder and name."""
    if not folder.is_dir():
        return []
    return [path for inner in _listed(folder) if inner.is_dir() for path in _listed(inner, ".json")]


def _listed(folder: Path, suffix: str = "") -> list[Path]:
    """What a folder holds, by name; sorted as text, which paths are slow at."""
    return sorted((path for path in folder.iterdir() if path.name.endswith(suffix)), key=os.fspath)


def add_record(folder: Path, record: Record, *, source: Path) -> Outcome:
    """Write a record unless its run is already recorded.

    A run that was repeated with the same metrics (its time may differ) keeps its first record.

    Args:
        folder: The store.
        record: What to add.
        source: File the record was made from, for the error.

    Returns:
        ``added``, ``present`` (the very same record) or ``repeated`` (same metrics).

    Raises:
        BenchError: If the same run is recorded with other metrics, or its date is yet to come.
    """
    if record.date > datetime.now(timezone.utc) + timedelta(days=1):
        raise BenchError(
            f"{source} is dated {record.date:%Y-%m-%d}, which is yet to come; set the clock of the "
            f"machine that made it, and run it again"
        )
    path = record_path(folder, record)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
        if not path.exists():
            atomic_write_json(path, record.as_json())
            return "added"
        known = read_record(path)
    if known.sha256 == record.sha256:
        return "present"
    if known.metrics == record.metrics:
        return "repeated"
    raise BenchError(
        f"{source} says {_shown(record)}, but {path} of the same run (protocol, config, "
        f"checkpoint, seed) says {_shown(known)}; delete that record if its run is void, otherwise "
        f"run again with another seed"
    )


def _shown(record: Record) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in sorted(record.metrics.items()))
