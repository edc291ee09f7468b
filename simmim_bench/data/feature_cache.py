"""Features of frozen networks on disk: computed once, mapped into memory by every run after it.

An entry belongs to one combination of weights, images and how they are prepared: its ``facts``. Its
samples are in shards. The last file of a shard that is written, a JSON file, has the checksums of
the other two. Processes that need the same entry share the work: each takes shards that no other
one has locked. An entry that a process uses is not removed: the process holds a lock in it.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from simmim_bench.data.fingerprint import sha256_of
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_path, atomic_write_json, cache_home, read_json, sha256_file

GB = 1e9
FACTS = "facts.json"
PLAN = "planned.json"
"""Says how large an entry will be."""
PARTS = ("rows", "targets")
NUMBER = "sample_idx"
"""The fact in which all samples differ."""
UNKNOWN = -1
SHARD_BYTES = 64e6
MOST_SAMPLES = 4096
"""Of a shard."""
OPEN_SHARDS = 128
"""That are mapped at once; each has two files open, of which a process may have a thousand."""
LOCK = ".lock"
USED = "used-"
ELSEWHERE = "set XDG_CACHE_HOME to a folder on a larger disk, or pass --cache-gb 0"

Array = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """What is kept of an image.

    Attributes:
        rows: Features of its windows, (windows, ...): float32, or int16 with bfloat16's bits.
        target: Its labels, an array of any shape.
        facts: Sizes and the like; JSON types.
    """

    rows: Array
    target: Array
    facts: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.rows.nbytes + self.target.nbytes)


class Entry:
    """The samples of one set of images, as one network sees them.

    Args:
        facts: What the features depend on; JSON types.
        samples: Number of samples.
        shard: Samples of a shard.
        root: Folder of all entries.
    """

    def __init__(
        self, facts: Mapping[str, Any], *, samples: int, shard: int, root: Path | None = None
    ) -> None:
        self.facts = {**facts, "samples": samples, "shard": shard}
        self.samples, self.shard = samples, shard
        self.folder = (root or cache_home() / "features") / sha256_of(self.facts)[:32]

        self._used = FileLock(self.folder / f"{USED}{uuid4().hex}.lock")

    def prepare(self) -> None:
        """Make the folder, and keep it from removal; one with other facts is emptied first."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder.parent / LOCK):
            if read_json(self.folder / FACTS) != self.facts:
                shutil.rmtree(self.folder, ignore_errors=True)
                atomic_write_json(self.folder / FACTS, self.facts)
            os.utime(self.folder / FACTS)  # used now
            _is_used(self.folder)  # removes the locks of processes that ended
            self._used.acquire()

    def release(self) -> None:
        """Allow the removal of the folder; the end of the process does the same."""
        self._used.release()

    def members(self, number: int) -> range:
        """Indices of the samples of a shard."""
        return range(number * self.shard, min((number + 1) * self.shard, self.samples))

    def lacking(self) -> list[int]:
        """Shards that are not there, or have other bytes than were written."""
        return [number for number in self.numbers() if not self._is_whole(number)]

    def numbers(self) -> range:
        """All shards."""
        return range(-(-self.samples // self.shard))

    def fill(
        self, lacking: list[int], compute: Callable[[range], Iterator[Sample]]
    ) -> Iterator[range]:
        """Write shards, and wait for those that other processes are writing.

        Args:
            lacking: Shards.
            compute: Gives the samples of some indices, in their order.

        Yields:
            Indices of the samples of each shard that is there now, whoever computed it.

        Raises:
            BenchError: If a file cannot be written.
        """
        busy = []
        for number in lacking:
            try:
                yield self._fill_one(number, compute, timeout=0)
            except Timeout:
                busy.append(number)
        for number in busy:
            yield self._fill_one(number, compute, timeout=-1)

    def _fill_one(
        self, number: int, compute: Callable[[range], Iterator[Sample]], timeout: float
    ) -> range:
        members = self.members(number)
        with FileLock(self.folder / f"{number:05}.lock", timeout=timeout):
            if not self._is_whole(number):
                self._write(number, list(compute(members)))
        return members

    def _is_whole(self, number: int) -> bool:
        sums = (read_json(self._index(number)) or {}).get("sha256", {})
        return all(
            path.is_file() and sums.get(part) == sha256_file(path)
            for part, path in self._paths(number).items()
        )

    def _write(self, number: int, samples: list[Sample]) -> None:
        arrays = {
            "rows": np.concatenate([sample.rows.ravel() for sample in samples]),
            "targets": np.concatenate([sample.target.ravel() for sample in samples]),
        }
        index = [
            {**sample.facts, "rows": sample.rows.shape, "targets": sample.target.shape}
            for sample in samples
        ]
        try:
            self._index(number).unlink(missing_ok=True)
            for part, path in self._paths(number).items():
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.save(file, arrays[part], allow_pickle=False)
            sums = {part: sha256_file(path) for part, path in self._paths(number).items()}
            atomic_write_json(self._index(number), {"sha256": sums, "samples": index})
        except OSError as error:
            raise BenchError(
                f"features cannot be written to {self.folder} ({error.strerror}); free some space, "
                f"{ELSEWHERE}"
            ) from error

    def _paths(self, number: int) -> dict[str, Path]:
        return {part: self.folder / f"{number:05}.{part}.npy" for part in PARTS}

    def _index(self, number: int) -> Path:
        return self.folder / f"{number:05}.json"

    def index_of(self, number: int) -> list[dict[str, Any]]:
        """Facts of the samples of a shard, with the shapes of their parts."""
        found: list[dict[str, Any]] = (read_json(self._index(number)) or {})["samples"]
        return found

    def arrays(self, number: int) -> list[Array]:
        """The arrays of a shard, mapped, in the order of ``PARTS``."""
        return [np.load(path, mmap_mode="r") for path in self._paths(number).values()]


class Features:
    """Samples of an entry that lacks nothing, by index.

    Args:
        entry: It stays in use as long as this object lives.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        # Of millions of samples: arrays, and equal facts once.
        self.begins = np.zeros((entry.samples, len(PARTS)), np.int64)
        self.numbers = np.zeros(entry.samples, np.int64)
        self.alike = np.zeros(entry.samples, np.int64)
        self.facts: list[dict[str, Any]] = []
        known: dict[str, int] = {}
        for number in entry.numbers():
            begins = np.zeros(len(PARTS), np.int64)
            for index, facts in zip(entry.members(number), entry.index_of(number), strict=True):
                self.begins[index] = begins
                self.numbers[index] = facts.pop(NUMBER, UNKNOWN)
                self.alike[index] = known.setdefault(str(facts), len(self.facts))
                if self.alike[index] == len(self.facts):
                    self.facts.append(facts)
                begins += [math.prod(facts[part]) for part in PARTS]
        self._arrays = lru_cache(OPEN_SHARDS)(entry.arrays)

    def __len__(self) -> int:
        """Number of samples."""
        return self.entry.samples

    def __getitem__(self, index: int) -> Sample:
        """A sample, copied into memory."""
        facts = self.facts[self.alike[index]]
        arrays = self._arrays(int(index) // self.entry.shard)
        rows, target = (
            np.array(array[begin : begin + math.prod(facts[part])]).reshape(facts[part])
            for array, begin, part in zip(arrays, self.begins[index], PARTS, strict=True)
        )
        kept = {name: value for name, value in facts.items() if name not in PARTS}
        if self.numbers[index] != UNKNOWN:
            kept[NUMBER] = int(self.numbers[index])
        return Sample(rows, target, kept)


def shard_of(sample_bytes: float) -> int:
    """Samples of a shard of about ``SHARD_BYTES``."""
    return int(max(1, min(MOST_SAMPLES, SHARD_BYTES // max(sample_bytes, 1))))


def make_room(sizes: Mapping[Entry, float], limit: float) -> list[Path]:
    """Remove entries that were not used for longest, until some fit.

    Args:
        sizes: The entries that are about to be written, and the bytes of each in the end.
        limit: Bytes that all entries may have together.

    Returns:
        The folders that were removed; those that a process uses are not.

    Raises:
        BenchError: If they and the entries in use exceed the limit, or the disk is too small.
    """
    needed = sum(sizes.values())
    if needed > limit:
        raise BenchError(
            f"these features need {needed / GB:.2f} GB, the cache may have {limit / GB:g} GB; pass "
            f"--cache-gb {math.ceil(needed / GB)}, or --cache-gb 0 to run the backbone again for "
            "every image"
        )
    ours = {entry.folder for entry in sizes}
    root, removed = next(iter(ours)).parent, []
    with FileLock(root / LOCK):
        found = [path for path in root.glob(f"*/{FACTS}") if path.parent not in ours]
        oldest = [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime)]
        used = {folder: max(_bytes(folder), _planned(folder)) for folder in oldest}
        for folder in oldest:
            if sum(used.values()) + needed > limit and not _is_used(folder):
                shutil.rmtree(folder, ignore_errors=True)
                del used[folder]
                removed.append(folder)
        if (total := sum(used.values()) + needed) > limit:
            raise BenchError(
                f"these features need {needed / GB:.2f} GB, other runs use "
                f"{(total - needed) / GB:.2f} GB of the cache, which may have {limit / GB:g} GB; "
                f"wait for them, or pass --cache-gb {math.ceil(total / GB)}"
            )
        for entry, size in sizes.items():
            atomic_write_json(entry.folder / PLAN, {"bytes": round(size)})
    free = shutil.disk_usage(root).free + sum(map(_bytes, ours))
    if needed > free:
        raise BenchError(
            f"these features need {needed / GB:.2f} GB, the disk of {root} has {free / GB:.2f} GB "
            f"left; free some space, {ELSEWHERE}"
        )
    return removed


def _is_used(folder: Path) -> bool:
    """Whether a process uses an entry, or writes a shard."""
    for path in folder.glob("*.lock"):
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return True
        if path.name.startswith(USED):
            path.unlink(missing_ok=True)  # of a process that ended
    return False


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # a temporary file of a process that writes
            total += path.stat().st_size
    return total


def _planned(folder: Path) -> int:
    return int((read_json(folder / PLAN) or {}).get("bytes", 0))
