"""One attempt at a stage's command: run it, measure it, end it on request; GPUs for it."""

from __future__ import annotations

import os
import platform
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from simmim_bench import launch
from simmim_bench.io import atomic_write_json, cache_home
from simmim_bench.suite import events, processes
from simmim_bench.suite.state import BENCHMARK, read_attempts

INTERRUPTED = 130
_SECONDS_BETWEEN_TRIES = 1.0  # to get GPUs
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class Attempt:
    """Runs a command; ``benchmark.json`` keeps earlier attempts at the same stage.

    Args:
        folder: Folder of the stage.
        minutes: Time after which the command is asked to end.
        watch_owner: Whether to end it when the suite that started this process is gone.
    """

    def __init__(
        self, folder: Path, *, minutes: int | None = None, watch_owner: bool = True
    ) -> None:
        self.path = folder / BENCHMARK
        self.earlier = read_attempts(folder)
        self.started = datetime.now(timezone.utc)
        self.begin = time.monotonic()
        self.seconds = minutes * 60.0 if minutes else float("inf")
        self.watch_owner = watch_owner
        self.stopped = False
        self.overtime = False

    def run(
        self, command: tuple[str, ...], root: Path, environment: dict[str, str], log: Any
    ) -> int:
        """Run ``command`` to its end and return its exit code, negative for a signal."""
        for number in _STOP_SIGNALS:
            signal.signal(number, self._stop)
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=processes.die_with_parent,  # noqa: PLW1509  # this process has one thread
        )
        killed = False
        memory = processes.MemoryPeak(psutil.Process(process.pid))
        while process.poll() is None:
            self._check_time()
            if self.stopped or (self.watch_owner and not _owner_lives()):
                self.stopped = True
                killed = not _end(process)
                break
            if memory.sample():
                self._write(memory.mb, None)
            _wait(process, 0.5)
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        code = process.wait()
        if self.stopped and (code or killed):  # psutil may have taken the code of a killed one
            code = INTERRUPTED
        self._write(max(memory.mb, largest), None if code == INTERRUPTED else code)
        return code

    def _stop(self, *_: object) -> None:
        self.stopped = True

    def _check_time(self) -> None:
        if time.monotonic() - self.begin > self.seconds:
            self.stopped = self.overtime = True

    def _write(self, peak_memory_mb: float, exit_code: int | None) -> None:
        attempt = {
            "started": self.started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.monotonic() - self.begin, 2),
            "peak_memory_mb": round(peak_memory_mb, 1),
            "exit_code": exit_code,
        }
        attempts = [*self.earlier, attempt]
        atomic_write_json(
            self.path,
            {
                "wall_seconds": round(sum(one["wall_seconds"] for one in attempts), 2),
                "peak_memory_mb": max(one["peak_memory_mb"] for one in attempts),
                "attempts": attempts,
            },
        )


@contextmanager
def hold_gpus(count: int) -> Iterator[list[str]]:
    """Reserve ``count`` GPUs of this machine for the block; wait until they are free.

    All suites of a user share the locks.

    Args:
        count: At most as many as this machine has.

    Yields:
        Names for CUDA_VISIBLE_DEVICES.
    """
    folder = cache_home() / "gpus" / platform.node()
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        with ExitStack() as held:
            names: list[str] = []
            for name in launch.visible_gpus():
                if len(names) == count:
                    break
                try:
                    held.enter_context(FileLock(folder / f"gpu.{name}.lock", timeout=0))
                except Timeout:
                    continue
                names.append(name)
            if len(names) == count:
                yield names
                return
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _end(process: subprocess.Popen[bytes]) -> bool:
    """Ask a command to save and end; then end whatever is left of it.

    It has ``launch.seconds_to_save()`` for that. Only the command itself is asked: if a data worker
    ended, the run would fail.

    Returns:
        Whether it ended in time.
    """
    family = processes.family(psutil.Process(process.pid))
    process.terminate()
    _wait(process, launch.seconds_to_save())
    in_time = process.poll() is not None
    processes.end(family)
    return in_time


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _owner_lives() -> bool:
    owner = os.environ.get(events.OWNER_VARIABLE)
    return not owner or processes.is_alive(owner)
