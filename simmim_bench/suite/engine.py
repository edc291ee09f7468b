"""Hand the stages that must run to Snakemake, which orders them and counts cores."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from simmim_bench.io import atomic_write_json
from simmim_bench.suite import measure
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.stage import MARKS, OWNER_VARIABLE, PLAN, die_with_parent, marker

SNAKEFILE = Path(__file__).with_name("Snakefile")
LOG = "snakemake.log"
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
        atomic_write_json(plan.state / "jobs.json", _jobs(plan, stages))
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
    subprocess.run([*_command(plan, stage), "--threads", "1"], env=_environment(), check=False)


def _command(plan: Plan, stage: Stage) -> list[str]:
    module = "simmim_bench.suite.stage"
    return [sys.executable, "-m", module, str(plan.state / PLAN), stage.id]


def _environment() -> dict[str, str]:
    owner = psutil.Process()
    environment = {**os.environ, OWNER_VARIABLE: f"{owner.pid} {owner.create_time()}"}
    # A profile of the user's could send the stages elsewhere.
    environment.pop("SNAKEMAKE_PROFILE", None)
    return environment


def _jobs(plan: Plan, stages: list[Stage]) -> list[dict[str, Any]]:
    running = {stage.id for stage in stages}
    chains = _chains(stages)
    return [
        {
            "name": f"stage_{number}",
            "mark": str(marker(plan, stage)),
            "needs": [
                str(marker(plan, plan.stage(need))) for need in stage.needs if need in running
            ],
            "threads": stage.threads,
            "priority": chains[stage.id],
            # Snakemake formats its commands: braces would be its own.
            "command": shlex.join(_command(plan, stage)).replace("{", "{{").replace("}", "}}"),
        }
        for number, stage in enumerate(stages)
    ]


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
        *("--config", f"jobs={plan.state / 'jobs.json'}"),
        *("--cores", str(cores), "--scheduler", "greedy"),
        # The jobs are those that must run; a failed one does not stop the others.
        *("--forceall", "--keep-going"),
        # The suite's own lock leaves nothing behind when its holder is killed.
        *("--nolock", "--drop-metadata", "--latency-wait", "2"),
        *("--profile", "none", "--workflow-profile", "none"),
        *("--quiet", "all", "--nocolor"),
    ]
