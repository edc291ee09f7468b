"""Wall time and peak memory of a process with everything that it starts."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field

import psutil

SECONDS_BETWEEN_SAMPLES = 2.0


@dataclass
class MemoryPeak:
    """Largest sum of memory of a process and its descendants seen so far.

    A page that several processes share, such as torch's libraries, is divided among them
    (Linux's proportional set size), so the sum is what the machine must have.
    """

    process: psutil.Process
    bytes: int = 0
    sampled: float = field(default=float("-inf"))

    def sample(self) -> bool:
        """Look, unless the last look was a moment ago (a look costs milliseconds).

        Returns:
            Whether it looked.
        """
        now = time.monotonic()
        if now - self.sampled < SECONDS_BETWEEN_SAMPLES:
            return False
        self.sampled = now
        self.bytes = max(self.bytes, sum(_proportional(one) for one in family(self.process)))
        return True

    @property
    def mb(self) -> float:
        """Peak in MiB."""
        return self.bytes / 2**20


def family(process: psutil.Process) -> list[psutil.Process]:
    """``process`` and all its descendants that still live."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], *, patience: float = 10.0) -> None:
    """Ask processes to end, and kill those that have not after ``patience`` seconds."""
    _signal(processes, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=patience)


def identity() -> str:
    """Name of this process that no later process gets: number and time of creation."""
    process = psutil.Process()
    return f"{process.pid} {process.create_time()}"


def is_alive(identity: str) -> bool:
    """Whether the process that called itself ``identity`` still runs."""
    pid, started = identity.split()
    try:
        process = psutil.Process(int(pid))
        same = abs(float(process.create_time()) - float(started)) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def _proportional(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
        return int(getattr(memory, "pss", memory.rss))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
