"""Run one stage of a plan: ``python -m simmim_bench.suite.stage PLAN ID --threads N``.

Snakemake starts this for each stage. It runs the stage's command with its output in ``log.txt``,
measures it into ``benchmark.json``, ends it when it is itself asked to end or when the suite that
started it is gone, and says what happened through the suite's events.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from simmim_bench.io import atomic_write_json
from simmim_bench.suite import cache, events, measure
from simmim_bench.suite.plan import Plan, Stage

LOG = "log.txt"
PLAN = "plan.json"
MARKS = "done"
INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SECONDS_FOR_PREDECESSOR = 60.0
_ERROR_LINE = re.compile(r"^(error: |[\w.]*(Error|Exception|Interrupt|Exit)\b)")


def main() -> int:
    """Parse, take the stage's lock, run the stage; the exit code is its command's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("id")
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    plan = Plan.read(args.plan)
    stage = plan.stage(args.id)
    lock = plan.state / "locks" / f"{stage.id.replace('/', '.')}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A stage whose suite was just killed needs a moment to end.
        with FileLock(lock, timeout=_SECONDS_FOR_PREDECESSOR):
            return run_stage(plan, stage, args.threads)
    except Timeout:
        message = f"another process still runs this stage; {lock} is locked"
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return _fail(plan, stage, message, 1)


def run_stage(plan: Plan, stage: Stage, threads: int) -> int:
    """Run ``stage`` unless it turns out to be done; return its exit code."""
    if cache.check_stage(plan, stage).cached:
        return _succeed(plan, stage, "cached")
    cache.begin(plan, stage)
    events.tell(plan.state, events.Event(stage.id, "start"))
    folder = plan.folder_of(stage)
    with (folder / LOG).open("ab") as log:
        offset = log.tell()
        log.write(f"$ {shlex.join(stage.command)}\n".encode())
        log.flush()
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        code = _Attempt(folder).run(stage.command, plan.root, environment, log)
    if code == 0 and cache.finish(plan, stage):
        return _succeed(plan, stage, "done")
    message = _explain(code, folder / LOG, offset, plan.result_of(stage))
    return _fail(plan, stage, message, code or 1)


def marker(plan: Plan, stage: Stage) -> Path:
    """The file that tells Snakemake that ``stage`` has ended well."""
    return plan.state / MARKS / stage.id / "ok"


def _succeed(plan: Plan, stage: Stage, kind: events.Kind) -> int:
    path = marker(plan, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    events.tell(plan.state, events.Event(stage.id, kind))
    return 0


def _fail(plan: Plan, stage: Stage, message: str, code: int) -> int:
    events.tell(plan.state, events.Event(stage.id, "failed", message=message))
    return code


class _Attempt:
    """One go at a command; earlier goes of the same stage stay in ``benchmark.json``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / cache.BENCHMARK
        self.earlier = (cache.read_json(self.path) or {}).get("attempts", [])
        self.started = datetime.now(timezone.utc)
        self.begin = time.monotonic()
        self.stopped = False

    def run(
        self, command: tuple[str, ...], root: Path, environment: dict[str, str], log: Any
    ) -> int:
        """Run ``command`` to its end and return its exit code, negative for a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # this process has one thread
        )
        memory = measure.MemoryPeak(psutil.Process(process.pid))
        while process.poll() is None:
            if self.stopped or not _owner_lives():
                measure.end(measure.family(memory.process))
                self.stopped = True
            if memory.sample():
                self._write(memory.mb, None)
            _wait(process)
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        code = INTERRUPTED if self.stopped else process.wait()
        self._write(max(memory.mb, largest), None if self.stopped else code)
        return code

    def _stop(self, *_: object) -> None:
        self.stopped = True

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


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def last_error(log: Path, offset: int = 0) -> str:
    """The line of a log, from byte ``offset``, that says best why a command failed."""
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 65536))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or lines or [""])[-1]


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(0.5)
    except subprocess.TimeoutExpired:
        return


def _owner_lives() -> bool:
    owner = os.environ.get(events.OWNER_VARIABLE)
    return not owner or measure.is_alive(owner)


def _explain(code: int, log: Path, offset: int, result: Path) -> str:
    if code == INTERRUPTED:
        return "interrupted"
    if code == 0:
        return f"the command ended well but {result.name} is not complete"
    if code < 0:
        killer = signal.Signals(-code).name
        hint = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
        return f"killed by {killer}{hint}"
    return last_error(log, offset)


if __name__ == "__main__":
    sys.exit(main())
