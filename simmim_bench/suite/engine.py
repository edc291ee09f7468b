"""Hand the stages that must run to Snakemake, which orders them and counts cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from simmim_bench.io import atomic_write_json
from simmim_bench.suite import measure
from simmim_bench.suite.events import OWNER_VARIABLE
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.stage import MARKS, PLAN, die_with_parent, marker

SNAKEFILE = Path(__file__).with_name("Snakefile")
LOG = "snakemake.log"
JOBS = "jobs.json"  # the Snakefile's name for it, too
_PATIENCE = 20.0  # seconds; a stage gives its command 10


class Engine:
    """A running Snakemake, which ends, with all it started, no later than this process.

    Args:
        plan: The whole suite.
        stages: Those that run, in an order in which they could.
        cores: CPU threads in use at any time.
    """

    def __init__(self, plan: Plan, stages: list[Stage], *, cores: int) -> None:
        self.log = plan.state / LOG
        shutil.rmtree(plan.state / MARKS, ignore_errors=True)
        atomic_write_json(plan.state / JOBS, _jobs(plan, stages))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *_options(plan, cores)],
                cwd=plan.root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # started before any thread
            )

    def wait(self, seconds: float) -> bool:
        """Wait at most ``seconds``; return whether Snakemake still runs."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        """If it still runs, end Snakemake, so that it starts nothing more, then the stages."""
        if self.process.poll() is not None:
            return
        snakemake = psutil.Process(self.process.pid)
        stages, family = snakemake.children(), measure.family(snakemake)
        self.process.kill()
        self.process.wait()
        # Each ends its own command.
        measure.end(stages, patience=_PATIENCE)
        measure.end(family)


def run_alone(plan: Plan, stage: Stage) -> None:
    """Run one stage, without Snakemake; events tell what became of it."""
    module = "simmim_bench.suite.stage"
    command = [sys.executable, "-m", module, PLAN, stage.id, "--threads", str(stage.threads)]
    subprocess.run(command, cwd=plan.state, env=_environment(), check=False)


def _environment() -> dict[str, str]:
    environment = {**os.environ, OWNER_VARIABLE: measure.identity()}
    # A profile of the user's could send the stages elsewhere.
    environment.pop("SNAKEMAKE_PROFILE", None)
    return environment


def _jobs(plan: Plan, stages: list[Stage]) -> list[dict[str, Any]]:
    running = {stage.id for stage in stages}
    chains = _chains(stages)
    return [
        {
            "id": stage.id,
            "rule": f"stage_{number}",
            "mark": _mark(plan, stage),
            "needs": [_mark(plan, plan.stage(need)) for need in stage.needs if need in running],
            "threads": stage.threads,
            "priority": chains[stage.id],
        }
        for number, stage in enumerate(stages)
    ]


def _mark(plan: Plan, stage: Stage) -> str:
    """Mark of a stage as a path from the folder in which Snakemake works."""
    return marker(plan, stage).relative_to(plan.state).as_posix()


def _chains(stages: list[Stage]) -> dict[str, int]:
    """Number of stages in the longest chain that waits for each: long chains start first."""
    chains = {stage.id: 0 for stage in stages}
    for stage in reversed(stages):
        for need in stage.needs:
            if need in chains:
                chains[need] = max(chains[need], chains[stage.id] + 1)
    return chains


def _options(plan: Plan, cores: int) -> list[str]:
    return [
        *("--snakefile", str(SNAKEFILE), "--directory", str(plan.state)),
        *("--cores", str(cores), "--scheduler", "greedy"),
        # The jobs are those that must run; a failed one does not stop the others.
        *("--forceall", "--keep-going"),
        # The suite's own lock leaves nothing behind when its holder is killed.
        *("--nolock", "--drop-metadata", "--latency-wait", "2"),
        *("--profile", "none", "--workflow-profile", "none"),
        "--nocolor",
        # The source cache would lie in the home folder, which may be read-only.
        *("--shared-fs-usage", "input-output", "persistence", "sources"),
    ]
