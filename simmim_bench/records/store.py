"""Records on disk: ``<method>__<backbone>/<run id>.json``, append-only, safe for many writers.

A record is written to a temporary file and moved into place under a lock of the store, so readers
see whole records only, and several processes may add records at the same time. A finished study may
be one file instead, ``records.jsonl``, with a record a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, json_text, read_bytes
from simmim_bench.records.record import Record
from simmim_bench.records.schema import parse_model, read_model

REMEDY = "restore the file, or delete it and collect again with `simmim-bench leaderboard build`"
LOCK_SECONDS = 60
KEPT = ("protocols", "packs")
"""Folders of a store that hold no records: own protocols, manifests of packs that were added."""
LINES = "records.jsonl"
"""File of a store with a record a line, as ``leaderboard export`` writes it."""
MOST_SHOWN = 20
"""An error names at most this many conflicts."""

Outcome = Literal["added", "present", "repeated"]


def record_path(folder: Path, record: Record) -> Path:
    """Where ``record`` is kept under ``folder``."""
    return folder / _folder_name(record) / f"{record.run_id}.json"


def _folder_name(record: Record) -> str:
    return f"{record.method}__{record.backbone}"


def read_record(path: Path, *, remedy: str = REMEDY) -> Record:
    """Read one record.

    Args:
        path: File.
        remedy: What to do about a bad file, for the error.

    Raises:
        BenchError: If it is missing, not JSON, not valid or was changed after it was written.
    """
    return read_model(Record, path, remedy=remedy)


def read_records(folder: Path) -> list[Record]:
    """Read every record under ``folder``, in the order of their paths.

    Raises:
        BenchError: If there is none, or as ``present_records``.
    """
    records = present_records(folder)
    if not records:
        raise BenchError(
            f"{folder} holds no records; a suite keeps its own in work_dirs/NAME/results: give "
            f"--records work_dirs/NAME/results/records (or --out work_dirs/NAME/results to build)"
        )
    return records


def present_records(folder: Path) -> list[Record]:
    """As ``read_records``; empty if there is none.

    Raises:
        BenchError: If one is not valid, in the wrong place or there twice, or there are other
            files.
    """
    paths, others = _list_files(folder)
    if others:
        raise BenchError(_wrong_place(others[0], folder))
    records = dict(_read_lines(folder))
    for path in paths:
        _check_single(path, records)
        records[path] = _read_at(path)
    return [records[path] for path in sorted(records, key=os.fspath)]


def bad_files(folder: Path, check: Callable[[Record, Path], None]) -> Iterator[str]:
    """Describe the problem of each bad file under ``folder``, one by one.

    Args:
        folder: The store.
        check: Raises ``BenchError`` for a record that is valid by itself but wrong.
    """
    paths, others = _list_files(folder)
    yield from (_wrong_place(path, folder) for path in others)
    lines: dict[Path, Record] = {}
    try:
        lines = dict(_read_lines(folder))
    except BenchError as error:
        yield str(error)
    for record in lines.values():
        try:
            check(record, folder / LINES)
        except BenchError as error:
            yield str(error)
    for path in paths:
        try:
            _check_single(path, lines)
            check(_read_at(path), path)
        except BenchError as error:
            yield str(error)


def _read_lines(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Records of ``LINES``, each with the path that it would have as a file of its own."""
    file = folder / LINES
    if not file.exists():
        return
    seen = set[Path]()
    for number, line in enumerate(read_bytes(file).splitlines(), start=1):
        source = f"line {number} of {file}"
        record = parse_model(Record, line, source=source, remedy="restore the file")
        if record.provenance.kind != "measured":
            raise BenchError(
                f"{source} is a cited result; write the file with `leaderboard export --measured`"
            )
        path = record_path(folder, record)
        if path in seen:
            raise BenchError(f"{source} repeats the run {record.run_id}; delete the line")
        seen.add(path)
        yield path, record


def _check_single(path: Path, lines: Mapping[Path, Record]) -> None:
    if path in lines:
        raise BenchError(f"{path} is also a line of {path.parents[1] / LINES}; delete the file")


def _read_at(path: Path) -> Record:
    """Read a record of a store; raise if it is in the wrong place, such as a copy."""
    record = read_record(path)
    if (path.parent.name, path.name) != (_folder_name(record), f"{record.run_id}.json"):
        place = record_path(path.parents[1], record)
        raise BenchError(f"{path} belongs at {place}; move it there, or delete the copy")
    return record


def _wrong_place(path: Path, folder: Path) -> str:
    return (
        f"{path} is in the wrong place, expected only {folder}/METHOD__BACKBONE/RUN_ID.json; move "
        f"it elsewhere and, if it is a record, run `simmim-bench leaderboard add FILE`"
    )


def _list_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Paths of records, and whatever else is there, by folder and name."""
    if not folder.is_dir():
        return [], []
    records: list[Path] = []
    others: list[Path] = []
    for inner in _visible(folder):
        if inner.name in KEPT and inner.is_dir():
            continue
        if not inner.is_dir():
            if inner.name != LINES:
                others.append(inner)
            continue
        for path in _visible(inner):
            (records if path.name.endswith(".json") else others).append(path)
    return records, others


def _visible(folder: Path) -> list[Path]:
    """Files and folders in ``folder``, sorted by name.

    Hidden ones are the lock and what a killed writer left behind. They are sorted as text, which is
    faster than as paths.
    """
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(visible, key=os.fspath)


def add_records(
    folder: Path,
    made: Sequence[tuple[Path | str, Record]],
    *,
    beside: Callable[[list[Outcome]], Mapping[str, str]] | None = None,
) -> list[Outcome]:
    """Add all of some records, each with the file it was made from, or none.

    All are compared with the store and with each other before the first is written. If writing
    fails, what was written is removed. A run that was repeated with the same metrics (its cost may
    differ) keeps its first record.

    Args:
        folder: The store.
        made: Files the records were made from, for errors, and the records.
        beside: Gives texts to keep in the store, by path, for the outcomes; files that exist stay
            as they are. It is called while the store is locked, and may raise to add nothing.

    Returns:
        For each record ``added``, ``present`` (the same record) or ``repeated`` (same metrics).

    Raises:
        BenchError: If the same run is recorded with other metrics, a date is in the future, or
            another process keeps the store locked.
    """
    with _locked(folder):
        outcomes = compare_records(folder, made)
        kept = beside(outcomes) if beside else {}
        texts = {folder / path: text for path, text in kept.items()}
        for outcome, (_, record) in zip(outcomes, made, strict=True):
            if outcome == "added":
                texts[record_path(folder, record)] = json_text(record.as_json())
        _write_all({path: text for path, text in texts.items() if not path.exists()})
    return outcomes


def add_record(folder: Path, record: Record, *, source: Path) -> Outcome:
    """Add one record; see ``add_records``."""
    return add_records(folder, [(source, record)])[0]


def compare_records(folder: Path, made: Sequence[tuple[Path | str, Record]]) -> list[Outcome]:
    """What ``add_records`` would do with each record; nothing is written.

    Raises:
        BenchError: If a date is in the future, or runs are recorded with other metrics; names each.
    """
    first: dict[Path, tuple[Path | str, Record]] = {}
    outcomes: list[Outcome] = []
    conflicts: list[str] = []
    lines = dict(_read_lines(folder))
    for source, record in made:
        _check_date(record, source)
        path = record_path(folder, record)
        if path not in first and path in lines:
            first[path] = (folder / LINES, lines[path])
        if path not in first and not path.exists():
            first[path] = (source, record)
            outcomes.append("added")
            continue
        if path not in first:
            first[path] = (path, read_record(path))
        try:
            outcomes.append(_outcome(record, source, *first[path]))
        except BenchError as error:
            conflicts.append(str(error))
    if len(conflicts) > 1:
        more = [f"and {len(conflicts) - MOST_SHOWN} more"] if len(conflicts) > MOST_SHOWN else []
        first_line = f"{len(conflicts)} of {len(made)} records conflict with {folder}:"
        raise BenchError("\n".join([first_line, *conflicts[:MOST_SHOWN], *more]))
    if conflicts:
        raise BenchError(conflicts[0])
    return outcomes


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock", timeout=LOCK_SECONDS)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire()
    except Timeout:
        raise BenchError(
            f"{lock.lock_file} has been held by another process for {LOCK_SECONDS} s; wait until "
            f"it ends, or stop it if it hangs, and try again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _write_all(texts: Mapping[Path, str]) -> None:
    """Write files that do not exist; if one cannot be written, remove those that were."""
    written: list[Path] = []
    try:
        for path, text in texts.items():
            atomic_write_text(path, text)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _check_date(record: Record, source: Path | str) -> None:
    if record.date > datetime.now(timezone.utc) + timedelta(days=1):
        raise BenchError(
            f"{source} is dated {record.date:%Y-%m-%d}, which is in the future; set the clock of "
            f"the machine that ran it, and run it again"
        )


def _outcome(record: Record, source: Path | str, path: Path | str, known: Record) -> Outcome:
    """Compare ``record`` with ``known``, the record of the same run at ``path``."""
    if known.sha256 == record.sha256:
        return "present"
    if known.metrics == record.metrics:
        return "repeated"
    raise BenchError(
        f"{source} has {_shown(record)}, but {path} of the same run (protocol, config, checkpoint, "
        f"seed) has {_shown(known)}; delete that record if its run was faulty, or a module of it "
        f"has changed since; otherwise run again with another seed"
    )


def _shown(record: Record) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in sorted(record.metrics.items()))
