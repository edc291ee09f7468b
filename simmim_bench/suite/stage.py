"""Run one stage of a plan: ``python -m simmim_bench.suite.stage PLAN ID``.

Snakemake starts this for each stage, here or as a Slurm job. It runs the stage's command with its
output in ``log.txt``, measures it into ``benchmark.json``, ends it when it is itself asked to end
or when the suite that started it is gone, starts it again when it says that this helps, and says
what happened through the suite's events.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from simmim_bench.io import atomic_write_text
from simmim_bench.stop import AGAIN, Stop, take_stop
from simmim_bench.suite import cache, events
from simmim_bench.suite.attempt import INTERRUPTED, Attempt, hold_gpus
from simmim_bench.suite.plan import Plan, Stage

LOG = "log.txt"
PLAN = "plan.json"
MARKS = "done"
LOCKS = "locks"
GIVEN_UP = "given_up"
MOST_STARTS = 6  # of one stage by one process: a run may halve its batch several times
_SECONDS_FOR_PREDECESSOR = 60.0
_ERROR_LINE = re.compile(r"^(error: |[\w.]*(Error|Exception|Interrupt|Exit)\b)")


@dataclass(frozen=True)
class Ended:
    """How a start of a command ended: its exit code, what it left, who asked it to end."""

    code: int
    stop: Stop | None
    stopped: bool
    overtime: bool


def main() -> int:
    """Parse, take the stage's lock, run the stage; the exit code is its command's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("id")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument(
        "--job", action="store_true", help="a job of a cluster, apart from its suite"
    )
    args = parser.parse_args()
    plan = Plan.read(args.plan)
    stage = plan.stage(args.id)
    if args.job and _has_given_up(plan, stage):
        return 1
    lock = plan.state / LOCKS / f"{stage.id.replace('/', '.')}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A stage whose suite was just killed needs a moment to end; a job of it ends by itself.
        with FileLock(lock, timeout=-1 if args.job else _SECONDS_FOR_PREDECESSOR):
            return run_stage(plan, stage, args.threads, is_job=args.job)
    except Timeout:
        message = f"another process still runs this stage; {lock} is locked"
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return _fail(plan, stage, message, 1)


def run_stage(plan: Plan, stage: Stage, threads: int, *, is_job: bool = False) -> int:
    """Run ``stage`` unless it turns out to be done; return its exit code.

    Args:
        plan: The suite.
        stage: One of its stages.
        threads: CPU threads of each process.
        is_job: Whether Slurm gives the devices, and another job may continue this one.
    """
    if cache.check_stage(plan, stage).cached:
        return _succeed(plan, stage, "cached")
    cache.begin(plan, stage)
    log = plan.folder_of(stage) / LOG
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    message = ""
    for start in range(1, MOST_STARTS + 1):
        offset = log.stat().st_size if log.exists() else 0
        events.tell(plan.state, events.Event(stage.id, "start", message=message))
        ended = _start(plan, stage, environment, is_job=is_job)
        if ended.code == 0 and cache.finish(plan, stage):
            return _succeed(plan, stage, "done")
        message = ended.stop.message if ended.stop else ""
        if ended.stopped or not ended.stop or start == MOST_STARTS:
            break
    message = _explain(ended, log, offset, plan.result_of(stage))
    if is_job and ended.stopped:
        return _fail(plan, stage, message, AGAIN)  # Snakemake submits it again
    _give_up(plan, stage)
    return _fail(plan, stage, message, ended.code or 1)


def marker(plan: Plan, stage: Stage) -> Path:
    """The file that tells Snakemake that ``stage`` has ended well."""
    return plan.state / MARKS / stage.id / "ok"


def _start(plan: Plan, stage: Stage, environment: dict[str, str], *, is_job: bool) -> Ended:
    """Start the command once, with GPUs of its own, and see how it ends."""
    folder = plan.folder_of(stage)
    take_stop(folder)
    own = stage.gpus > 0 and not is_job
    attempt = Attempt(folder, minutes=stage.minutes, watch_owner=not is_job)
    with (
        (folder / LOG).open("ab") as log,
        hold_gpus(plan.state / LOCKS, stage.gpus if own else 0) as gpus,
    ):
        log.write(f"$ {shlex.join(stage.command)}\n".encode())
        log.flush()
        devices = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if own else {}
        code = attempt.run(stage.command, plan.root, {**environment, **devices}, log)
    return Ended(code, take_stop(folder), attempt.stopped, attempt.overtime)


def _succeed(plan: Plan, stage: Stage, kind: events.Kind) -> int:
    path = marker(plan, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    events.tell(plan.state, events.Event(stage.id, kind))
    return 0


def _fail(plan: Plan, stage: Stage, message: str, code: int) -> int:
    events.tell(plan.state, events.Event(stage.id, "failed", message=message))
    return code


def _give_up(plan: Plan, stage: Stage) -> None:
    """Note that this suite need not try ``stage`` again: Snakemake retries whatever failed."""
    owner = os.environ.get(events.OWNER_VARIABLE, "")
    atomic_write_text(plan.state / GIVEN_UP / stage.id / "owner", owner)


def _has_given_up(plan: Plan, stage: Stage) -> bool:
    note = plan.state / GIVEN_UP / stage.id / "owner"
    return note.is_file() and note.read_text("utf-8") == os.environ.get(events.OWNER_VARIABLE, "")


def last_error(log: Path, offset: int = 0) -> str:
    """The line of a log, from byte ``offset``, that says best why a command failed."""
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 65536))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or lines or [""])[-1]


def _explain(ended: Ended, log: Path, offset: int, result: Path) -> str:
    saved = f"; {ended.stop.message}" if ended.stop else ""
    if ended.overtime:
        return f"took longer than its time allows{saved}; the same command continues"
    if ended.code == INTERRUPTED:
        return f"interrupted{saved}"
    if ended.stop:
        return f"{ended.stop.message}; given up after {MOST_STARTS} starts"
    if ended.code == 0:
        return f"the command ended well but {result.name} is not complete"
    if ended.code < 0:
        killer = signal.Signals(-ended.code).name
        hint = ", perhaps because memory ran out" if -ended.code == signal.SIGKILL else ""
        return f"killed by {killer}{hint}"
    return last_error(log, offset)


if __name__ == "__main__":
    sys.exit(main())
