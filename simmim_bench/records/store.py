"""Records on disk: ``<method>__<backbone>/<run id>.json``, append-only, safe for many writers."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.records.record import SEAL_CHECKED_BESIDE, Record
from simmim_bench.records.schema import read_model

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


REMEDY = "restore the file, or delete it and collect again with `tools/leaderboard.py build`"
LOCK_SECONDS = 60
BESIDE = 0.95
"""Share of many records whose seals another process checks; it takes as long as all of the rest."""

Outcome = Literal["added", "present", "repeated"]


def record_path(folder: Path, record: Record) -> Path:
    """Where ``record`` is kept under ``folder``."""
    return folder / _folder_name(record) / f"{record.run_id}.json"


def _folder_name(record: Record) -> str:
    return f"{record.method}__{record.backbone}"


def read_record(
    path: Path, *, remedy: str = REMEDY, context: dict[str, str] | None = None
) -> Record:
    """Read one record.

    Args:
        path: File.
        remedy: What to do about a bad file, for the error.
        context: ``SEAL_CHECKED_BESIDE``, or None.

    Raises:
        BenchError: If it is missing, no JSON, not valid or changed since it was written.
    """
    return read_model(Record, path, remedy=remedy, context=context)


def read_records(folder: Path) -> list[Record]:
    """Read every record under ``folder``, in the order of their paths.

    Raises:
        BenchError: If there is none, one is not valid or not where it belongs, or something else
            lies among them.
    """
    with records_under(folder) as records:
        return records


@contextmanager
def records_under(folder: Path) -> Iterator[list[Record]]:
    """The same for a block that writes nothing: seals of many records are checked beside it.

    Raises:
        BenchError: As ``read_records``, for a broken seal at the end of the block.
    """
    paths, strays = _found(folder)
    if strays:
        raise BenchError(_out_of_place(strays[0], folder))
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
        for path, record in zip(paths, records, strict=True):
            _check_place(path, record)
        yield records


def bad_files(folder: Path, check: Callable[[Record, Path], None]) -> Iterator[str]:
    """Say what is wrong with each file under ``folder`` that is no sound record, one by one.

    Args:
        folder: The store.
        check: Raises ``BenchError`` for a record that is valid by itself, but not sound.
    """
    paths, strays = _found(folder)
    yield from (_out_of_place(path, folder) for path in strays)
    for path in paths:
        try:
            record = read_record(path)
            _check_place(path, record)
            check(record, path)
        except BenchError as error:
            yield str(error)


def _check_place(path: Path, record: Record) -> None:
    if (path.parent.name, path.name) != (_folder_name(record), f"{record.run_id}.json"):
        place = record_path(path.parents[1], record)
        raise BenchError(f"{path} belongs at {place}; move it there, or delete the copy")


def _out_of_place(path: Path, folder: Path) -> str:
    return (
        f"{path} lies where no record belongs, which are {folder}/METHOD__BACKBONE/RUN_ID.json; "
        f"move it elsewhere and, if it is one, add it with `python tools/leaderboard.py add FILE`"
    )


def _found(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files where records belong, and whatever else there is, by folder and name."""
    if not folder.is_dir():
        return [], []
    paths: list[Path] = []
    strays: list[Path] = []
    for inner in _listed(folder):
        if not inner.is_dir():
            strays.append(inner)
            continue
        for path in _listed(inner):
            (paths if path.name.endswith(".json") else strays).append(path)
    return paths, strays


def _listed(folder: Path) -> list[Path]:
    """What a folder holds, by name; sorted as text, which paths are slow at.

    No record has a hidden name: those are the lock, and what a killed writer left half written.
    """
    return sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".")), key=os.fspath
    )


def add_records(folder: Path, made: Sequence[tuple[Path, Record]]) -> list[Outcome]:
    """Add several records, each with the file it was made from, or none of them.

    All are compared with the store and with one another before the first is written. Only what
    another process adds in between can still stop it half way.

    Raises:
        BenchError: As ``add_record``.
    """
    first: dict[Path, tuple[Path, Record]] = {}
    for source, record in made:
        _check_date(record, source)
        path = record_path(folder, record)
        if path not in first:
            first[path] = (path, read_record(path)) if path.exists() else (source, record)
        _outcome(record, source, *first[path])
    return [add_record(folder, record, source=source) for source, record in made]


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
        BenchError: If the same run is recorded with other metrics, its date is yet to come, or
            another process keeps the store locked.
    """
    _check_date(record, source)
    path, lock = record_path(folder, record), folder / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=LOCK_SECONDS):
            if not path.exists():
                atomic_write_json(path, record.as_json())
                return "added"
            known = read_record(path)
    except Timeout:
        raise BenchError(
            f"{lock} has been held by another process for {LOCK_SECONDS} s, which adds records or "
            f"hangs; wait for its end or end it, and start again"
        ) from None
    return _outcome(record, source, path, known)


def _check_date(record: Record, source: Path) -> None:
    if record.date > datetime.now(timezone.utc) + timedelta(days=1):
        raise BenchError(
            f"{source} is dated {record.date:%Y-%m-%d}, which is yet to come; set the clock of the "
            f"machine that made it, and run it again"
        )


def _outcome(record: Record, source: Path, path: Path, known: Record) -> Outcome:
    """What becomes of ``record`` beside ``known``, which ``path`` has of the same run."""
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


# Many small objects at once, without Python looking through all of them again and again.


@contextmanager
def collector_paused() -> Iterator[None]:
    """Leave objects that exist now to themselves, and collect none, until the block ends."""
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


# Work in a process beside this one, where the system can fork.


MANY = 5000  # records, from which on a second process is worth it


@contextmanager
def beside(work: Callable[[], None], *, worth_it: bool) -> Iterator[None]:
    """Do ``work`` while the block runs; both are done at the end.

    A forked process sees all objects of this one as they are, nothing is copied or sent. Where
    that is not worth it or not safe (other threads run), ``work`` follows the block.

    Args:
        work: Writes files; what it returns or changes in memory is lost.
        worth_it: Whether there is enough to do for a process.

    Raises:
        Exception: What ``work`` raises, also where the block raises something, too.
    """
    can_fork = "fork" in multiprocessing.get_all_start_methods()
    if not (worth_it and can_fork and threading.active_count() == 1):
        yield
        work()
        return
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        yield
    finally:
        if not _is_done(ours):
            process.join()
            work()  # again, for its exception


def _work(work: Callable[[], None], theirs: Connection) -> None:
    work()
    theirs.send(True)


def _is_done(ours: Connection) -> bool:
    """Wait for the work, not for the end of its process, which takes a second of much memory."""
    with ours:
        try:
            return bool(ours.recv())
        except EOFError:
            return False
