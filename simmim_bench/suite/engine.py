"""Hand the stages that must run to Snakemake, which orders them and counts cores."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from simmim_bench.io import atomic_write_json
from simmim_bench.suite import measure
from simmim_bench.suite.attempt import die_with_parent
from simmim_bench.suite.events import OWNER_VARIABLE
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.profile import Launcher
from simmim_bench.suite.stage import MARKS, PLAN, marker

SNAKEFILE = Path(__file__).with_name("Snakefile")
LOG = "snakemake.log"
JOBS = "jobs.json"  # the Snakefile's name for it, too
MOST_JOBS = 100  # in Slurm's queue, where --jobs says nothing else
MOST_REQUEUES = 5  # of a job that was preempted, cancelled or lost its node
GRACE_MINUTES = 10  # between a stage being asked to save and Slurm ending its job
_PATIENCE = 40.0  # seconds; a stage gives its command 30
_SHARED = ("input-output", "persistence", "sources", "software-deployment")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What all stages that run at once may use together; under Slurm only ``jobs`` counts.

    Attributes:
        cores: CPU threads.
        jobs: Stages.
        gpus: GPUs.
        memory_mb: Main memory, of the stages that state theirs.
        keep_going: Whether stages start after one has failed.
        launcher: Slurm runs each stage as a job; otherwise they run here.
    """

    cores: int
    jobs: int | None = None
    gpus: int | None = None
    memory_mb: int
    keep_going: bool = True
    launcher: Launcher = "local"

    def __str__(self) -> str:
        if self.launcher == "slurm":
            return f"as Slurm jobs, at most {self.jobs or MOST_JOBS} at once"
        gpus = f" and {self.gpus} GPU(s)" if self.gpus else ""
        return f"on {self.cores} core(s){gpus}"


class Engine:
    """A running Snakemake, which ends, with all it started, no later than this process.

    Args:
        plan: The whole suite.
        stages: Those that run, in an order in which they could.
        limits: What they may use together.
    """

    def __init__(self, plan: Plan, stages: list[Stage], limits: Limits) -> None:
        self.log = plan.state / LOG
        shutil.rmtree(plan.state / MARKS, ignore_errors=True)
        atomic_write_json(plan.state / JOBS, _jobs(plan, stages, limits))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *_options(plan, limits)],
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


def _jobs(plan: Plan, stages: list[Stage], limits: Limits) -> list[dict[str, Any]]:
    running = {stage.id for stage in stages}
    chains = _chains(stages)
    return [
        {
            "id": stage.id,
            "rule": _rule(stage),
            "mark": _mark(plan, stage),
            "needs": [_mark(plan, plan.stage(need)) for need in stage.needs if need in running],
            "threads": stage.threads * (1 if limits.launcher == "slurm" else stage.processes),
            "priority": chains[stage.id],
            "resources": _resources(stage, limits),
            "arguments": _arguments(stage, limits),
            "retries": MOST_REQUEUES if limits.launcher == "slurm" else 0,
        }
        for stage in stages
    ]


def _rule(stage: Stage) -> str:
    """Name of a stage's rule; a job that a killed suite left in a queue finds no other stage."""
    return f"stage_{hashlib.sha256(stage.id.encode()).hexdigest()[:16]}"


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


def _resources(stage: Stage, limits: Limits) -> dict[str, int | str]:
    """What Snakemake counts here, or asks Slurm for."""
    memory = {"mem_mb": min(stage.memory_mb, limits.memory_mb)} if stage.memory_mb else {}
    if limits.launcher != "slurm":
        return {**memory, "job": 1, **({"gpu": stage.gpus} if stage.gpus else {})}
    # Without a number Snakemake asks for 1 GB; 0 leaves it to the cluster's default.
    asked: dict[str, int | str] = {
        "cpus_per_task": stage.threads,
        "mem_mb": stage.memory_mb or 0,
        "disk_mb": 0,
    }
    # Slurm ends a job after its time; the stage is asked to save before that.
    asked |= {"runtime": stage.minutes + GRACE_MINUTES} if stage.minutes else {}
    if stage.gpus:
        # Tasks are counted in tasks, not in tasks for each GPU.
        asked |= {"gpu": stage.gpus, "tasks_per_gpu": 0}
    if stage.processes > 1:
        # The stage calls srun itself.
        asked |= {"mpi": "srun", "tasks": stage.processes}
    return asked


def _arguments(stage: Stage, limits: Limits) -> str:
    """Further arguments of the stage's process."""
    return f"--threads {stage.threads}{' --job' if limits.launcher == 'slurm' else ''}"


def _options(plan: Plan, limits: Limits) -> list[str]:
    return [
        *("--snakefile", str(SNAKEFILE), "--directory", str(plan.state)),
        *(_slurm_options() if limits.launcher == "slurm" else []),
        *_amounts(limits),
        "--forceall",  # the jobs are those that must run
        *(["--keep-going"] if limits.keep_going else []),
        # The suite's own lock leaves nothing behind when its holder is killed.
        *("--nolock", "--drop-metadata", "--latency-wait", "2"),
        *("--profile", "none", "--workflow-profile", "none"),
        "--nocolor",
        # The source cache would lie in the home folder, which may be read-only.
        *("--shared-fs-usage", *_SHARED),
    ]


def _slurm_options() -> list[str]:
    """Snakemake's executor for Slurm; partition and account are those of sbatch's variables."""
    config = ["scontrol", "show", "config"]
    told = subprocess.run(config, capture_output=True, text=True, timeout=60, check=False).stdout
    has_accounts = "accounting_storage/none" not in told
    variables = {"slurm_partition": "SBATCH_PARTITION", "slurm_account": "SBATCH_ACCOUNT"}
    defaults = [
        f"{key}={os.environ[name]}" for key, name in variables.items() if name in os.environ
    ]
    return [
        *("--executor", "slurm", "--slurm-status-command", "sacct" if has_accounts else "squeue"),
        *([] if "SBATCH_ACCOUNT" in os.environ else ["--slurm-no-account"]),
        *(["--default-resources", *defaults] if defaults else []),
        *("--slurm-init-seconds-before-status-checks", "5", "--seconds-between-status-checks", "5"),
    ]


def _amounts(limits: Limits) -> list[str]:
    if limits.launcher == "slurm":
        return ["--jobs", str(limits.jobs or MOST_JOBS), "--scheduler", "greedy"]
    amounts = [f"mem_mb={limits.memory_mb}"]
    amounts += [f"job={limits.jobs}"] if limits.jobs else []
    amounts += [f"gpu={limits.gpus}"] if limits.gpus else []
    return ["--cores", str(limits.cores), "--scheduler", "greedy", "--resources", *amounts]
