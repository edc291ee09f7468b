"""Processes and their descendants: memory, identity, end."""

from __future__ import annotations

import ctypes
import signal
import sys
import time
from dataclasses import dataclass, field

import psutil

SECONDS_BETWEEN_SAMPLES = 2.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class MemoryPeak:
    """Largest memory of a process and its descendants together, so far.

    Pages that several processes share, such as torch's libraries, are divided among them (Linux's
    proportional set size), so the sum is what the machine must have.
    """

    process: psutil.Process
    bytes: int = 0
    sampled: float = field(default=float("-inf"))

    def sample(self) -> bool:
        """Measure, unless the last measurement was a moment ago: one takes milliseconds.

        Returns:
            Whether it measured.
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
    """``process`` and all its living descendants."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: list[psutil.Process], *, patience: float = 10.0) -> None:
    """Ask processes to end; kill those that still run after ``patience`` seconds."""
    _signal(processes, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=patience)


def identity() -> str:
    """PID and creation time of this process; no later process has both."""
    process = psutil.Process()
    return f"{process.pid} {process.create_time()}"


def is_alive(identity: str) -> bool:
    """Whether the process with this ``identity`` still runs."""
    pid, started = identity.split()
    try:
        process = psutil.Process(int(pid))
        same = abs(float(process.create_time()) - float(started)) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


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
