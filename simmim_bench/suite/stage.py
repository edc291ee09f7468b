"""Run one stage of a plan: ``python -m simmim_bench.suite.stage PLAN ID``.

Snakemake starts this for each stage, here or as a Slurm job. It runs the stage's command, writes
the output to ``log.txt`` and the cost to ``benchmark.json``, and reports events to the suite. When
it is asked to end, or when its suite is gone, it ends the command. It starts the command again when
the command asks for that (``simmim_bench.stop``).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from simmim_bench import cli, launch
from simmim_bench.io import atomic_write_text, check_output
from simmim_bench.stop import AGAIN, Stop, take_stop
from simmim_bench.suite import cache
from simmim_bench.suite.attempt import INTERRUPTED, Attempt, hold_gpus
from simmim_bench.suite.events import OWNER_VARIABLE, Event, Kind, write_event
from simmim_bench.suite.plan import Plan, Stage

LOCKS = "locks"
GIVEN_UP = "given_up"
MOST_STARTS = 6  # of a command by one process: a run may halve its batch several times
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""So that glibc does not give memory back after each step, and ask for it, zeroed, in the next."""
_SECONDS_FOR_PREDECESSOR = 30.0  # besides its time to save
_ERROR_LINE = re.compile(r"^(error: |[\w.]*(Error|Exception|Interrupt|Exit)\b)")


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: Exit code.
        stop: What it left in ``stop.json``.
        stopped: Whether it was asked to end.
        overtime: Whether that was because its time was over.
    """

    code: int
    stop: Stop | None
    stopped: bool
    overtime: bool


def main() -> int:
    """Parse, lock the stage, run it; return the exit code of its command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("id")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument(
        "--job", action="store_true", help="this is a job of a cluster, not a child of the suite"
    )
    args = parser.parse_args()
    plan = Plan.read(args.plan)
    stage = plan.stage(args.id)
    if args.job and _has_given_up(plan, stage):
        return 1
    lock = plan.state / LOCKS / f"{stage.id.replace('/', '.')}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A stage of a suite that was just killed needs a moment to end; a job ends by itself.
        patience = launch.seconds_to_save() + _SECONDS_FOR_PREDECESSOR
        with FileLock(lock, timeout=-1 if args.job else patience):
            return run_stage(plan, stage, args.threads, is_job=args.job)
    except Timeout:
        message = f"another process runs this stage; it holds {lock}"
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    return _fail(plan, stage, message, 1)


def run_stage(plan: Plan, stage: Stage, threads: int, *, is_job: bool = False) -> int:
    """Run ``stage`` unless it is done by now; return its exit code.

    Args:
        plan: The suite.
        stage: One of its stages.
        threads: CPU threads of each process.
        is_job: Whether Slurm assigns the devices, and another job may continue this one.
    """
    if cache.check_stage(plan, stage).cached:
        return _succeed(plan, stage, "cached")
    cache.begin(plan, stage)
    log = plan.log_of(stage)
    check_output(log)
    environment = environment_of(threads)
    message = ""
    for start in range(1, MOST_STARTS + 1):
        offset = log.stat().st_size if log.exists() else 0
        write_event(plan.state, Event(stage.id, "start", message=message))
        outcome = _start(plan, stage, environment, is_job=is_job)
        if outcome.code == 0 and cache.finish(plan, stage):
            return _succeed(plan, stage, "done")
        message = outcome.stop.message if outcome.stop else ""
        if outcome.stopped or not outcome.stop or start == MOST_STARTS:
            break
    message = _explain(outcome, log, offset, plan.result_of(stage))
    if is_job and outcome.stopped:
        return _fail(plan, stage, message, AGAIN)  # Snakemake submits it again
    _give_up(plan, stage)
    return _fail(plan, stage, message, outcome.code or 1)


def environment_of(threads: int) -> dict[str, str]:
    """Environment variables of a stage with this many CPU threads in each process."""
    return {
        **KEEP_MEMORY,
        **os.environ,
        **launch.torchrun_environment(),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }


def _start(plan: Plan, stage: Stage, environment: dict[str, str], *, is_job: bool) -> Outcome:
    """Run the command once, with GPUs of its own."""
    folder = plan.folder_of(stage)
    take_stop(folder)
    reserve = stage.gpus > 0 and not is_job
    attempt = Attempt(folder, minutes=stage.minutes, watch_owner=not is_job)
    with (
        plan.log_of(stage).open("ab") as log,
        hold_gpus(stage.gpus if reserve else 0) as gpus,
    ):
        log.write(f"$ {shlex.join(stage.command)}\n".encode())
        log.flush()
        devices = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if reserve else {}
        code = attempt.run(stage.command, plan.root, {**environment, **devices}, log)
    return Outcome(code, take_stop(folder), attempt.stopped, attempt.overtime)


def _succeed(plan: Plan, stage: Stage, kind: Kind) -> int:
    path = plan.marker_of(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    write_event(plan.state, Event(stage.id, kind))
    return 0


def _fail(plan: Plan, stage: Stage, message: str, code: int) -> int:
    write_event(plan.state, Event(stage.id, "failed", message=message))
    return code


def _give_up(plan: Plan, stage: Stage) -> None:
    """Note that this suite must not try ``stage`` again: Snakemake retries all failed jobs."""
    owner = os.environ.get(OWNER_VARIABLE, "")
    atomic_write_text(plan.state / GIVEN_UP / stage.id / "owner", owner)


def _has_given_up(plan: Plan, stage: Stage) -> bool:
    note = plan.state / GIVEN_UP / stage.id / "owner"
    return note.is_file() and note.read_text("utf-8") == os.environ.get(OWNER_VARIABLE, "")


def last_error(log: Path, offset: int = 0) -> str:
    """The line of a log, from byte ``offset``, that best explains why a command failed."""
    with log.open("rb") as stream:
        stream.seek(max(offset, log.stat().st_size - 65536))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if _ERROR_LINE.match(line)]
    return (errors or lines or [""])[-1]


def _explain(outcome: Outcome, log: Path, offset: int, result: Path) -> str:
    saved = f"; {outcome.stop.message}" if outcome.stop else ""
    if outcome.overtime:
        return f"reached its time limit{saved}; the same command continues"
    if outcome.code == INTERRUPTED:
        return f"interrupted{saved}"
    if outcome.stop:
        return f"{outcome.stop.message}; failed after {MOST_STARTS} starts"
    if outcome.code == 0:
        return f"the command succeeded, but {result.name} is missing or incomplete"
    if outcome.code < 0:
        killer = signal.Signals(-outcome.code).name
        hint = ", possibly out of memory" if -outcome.code == signal.SIGKILL else ""
        return f"killed by {killer}{hint}"
    return last_error(log, offset)


if __name__ == "__main__":
    cli.main(main)
