"""Run stages with Snakemake, which orders them and counts cores, GPUs and memory."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from simmim_bench import launch
from simmim_bench.io import atomic_write_json
from simmim_bench.suite import processes
from simmim_bench.suite.events import OWNER_VARIABLE
from simmim_bench.suite.plan import Plan, Stage
from simmim_bench.suite.profile import MOST_JOBS, Profile

PYTHON_MODULE = (sys.executable, "-P", "-m")
"""Run a module; -P: never one from the current folder, which is that of the results."""
SNAKEFILE = Path(__file__).with_name("Snakefile")
LOG = "snakemake.log"
JOBS = "jobs.json"  # also in the Snakefile
MOST_REQUEUES = 5  # of a job that was preempted, cancelled or lost its node
_GRACE_MINUTES = 5  # after the time to save, until Slurm ends the job
_SECONDS_TO_END = 10  # of a stage, after its command
_SHARED = ("input-output", "persistence", "sources", "software-deployment")


class Engine:
    """A running Snakemake; it ends, with all that it started, when this process ends.

    Args:
        plan: The whole suite.
        stages: Those to run, each after those that it needs.
        profile: Where they run, and what they may use together.
    """

    def __init__(self, plan: Plan, stages: list[Stage], profile: Profile) -> None:
        self.log = plan.state / LOG
        shutil.rmtree(plan.markers, ignore_errors=True)
        atomic_write_json(plan.state / JOBS, _jobs(plan, stages, profile))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PYTHON_MODULE, "snakemake", *_options(plan, profile)],
                cwd=plan.root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=processes.die_with_parent,  # noqa: PLW1509  # started before any thread
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
        """End Snakemake first, so that it starts nothing more, then the stages."""
        if self.process.poll() is not None:
            return
        snakemake = psutil.Process(self.process.pid)
        stages, family = snakemake.children(), processes.family(snakemake)
        self.process.kill()
        self.process.wait()
        # Each stage ends its own command.
        processes.end(stages, patience=launch.seconds_to_save() + _SECONDS_TO_END)
        processes.end(family)


def run_alone(plan: Plan, stage: Stage) -> None:
    """Run one stage without Snakemake; events report how it ended."""
    module = "simmim_bench.suite.stage"
    command = [
        *PYTHON_MODULE,
        module,
        plan.file.name,
        stage.id,
        "--threads",
        str(stage.threads),
    ]
    subprocess.run(command, cwd=plan.state, env=_environment(), check=False)


def _environment() -> dict[str, str]:
    environment = {**os.environ, OWNER_VARIABLE: processes.identity()}
    # A profile of the user could run the stages elsewhere.
    environment.pop("SNAKEMAKE_PROFILE", None)
    return environment


def _jobs(plan: Plan, stages: list[Stage], profile: Profile) -> list[dict[str, Any]]:
    running = {stage.id for stage in stages}
    priorities = _priorities(stages)
    return [
        {
            "id": stage.id,
            "rule": _rule(stage),
            "marker": _marker(plan, stage),
            "needs": [_marker(plan, plan.stage(need)) for need in stage.needs if need in running],
            "threads": stage.threads * (1 if profile.launcher == "slurm" else stage.processes),
            "priority": priorities[stage.id],
            "resources": _resources(stage, profile),
            "arguments": _arguments(stage, profile),
            "retries": MOST_REQUEUES if profile.launcher == "slurm" else 0,
        }
        for stage in stages
    ]


def _rule(stage: Stage) -> str:
    """Name of a stage's rule; it depends on the id only, for jobs of a killed suite in a queue."""
    return f"stage_{hashlib.sha256(stage.id.encode()).hexdigest()[:16]}"


def _marker(plan: Plan, stage: Stage) -> str:
    """Marker file of a stage, as a path from the folder in which Snakemake works."""
    return plan.marker_of(stage).relative_to(plan.state).as_posix()


def _priorities(stages: list[Stage]) -> dict[str, int]:
    """Seconds from the start of each stage to the end of the longest chain that waits for it.

    The longest chain starts first, so that no long stage runs last and alone.
    """
    after = dict.fromkeys((stage.id for stage in stages), 0.0)
    seconds = {}
    for stage in reversed(stages):
        seconds[stage.id] = _expected(stage) + after[stage.id]
        for need in stage.needs:
            if need in after:
                after[need] = max(after[need], seconds[stage.id])
    return {name: math.ceil(value) for name, value in seconds.items()}


def _expected(stage: Stage) -> float:
    """Seconds that a stage may take: as the suite states, else half a minute."""
    return 30.0 if stage.gpu_hours is None else 3600 * stage.gpu_hours / stage.processes


def _resources(stage: Stage, profile: Profile) -> dict[str, int | str]:
    """What Snakemake counts here, or asks Slurm for."""
    if profile.launcher != "slurm":
        counted = {"job": 1, **({"gpu": stage.gpus} if stage.gpus else {})}
        if stage.memory_mb:
            # More than the machine has would never start.
            counted["mem_mb"] = min(stage.memory_mb, profile.memory_mb or stage.memory_mb)
        return dict(counted)
    # Without a number Snakemake asks for 1 GB; 0 leaves it to the cluster's default.
    asked: dict[str, int | str] = {
        "cpus_per_task": stage.threads,
        "mem_mb": stage.memory_mb or 0,
        "disk_mb": 0,
    }
    # Slurm ends a job after its time; the stage is asked to save before that.
    if stage.minutes:
        to_save = math.ceil(launch.seconds_to_save() / 60)
        asked["runtime"] = stage.minutes + to_save + _GRACE_MINUTES
    if stage.gpus:
        # The number of tasks is a total, not one for each GPU.
        asked |= {"gpu": stage.gpus, "tasks_per_gpu": 0}
    if stage.processes > 1:
        # The stage calls srun itself.
        asked |= {"mpi": "srun", "tasks": stage.processes}
    return asked


def _arguments(stage: Stage, profile: Profile) -> str:
    """Arguments of the stage's process after plan and id."""
    return f"--threads {stage.threads}{' --job' if profile.launcher == 'slurm' else ''}"


def _options(plan: Plan, profile: Profile) -> list[str]:
    return [
        *("--snakefile", str(SNAKEFILE), "--directory", str(plan.state)),
        *(_slurm_options() if profile.launcher == "slurm" else []),
        *_amounts(profile),
        "--forceall",  # all jobs listed must run
        *(["--keep-going"] if profile.keep_going else []),
        # The suite has its own lock, which a killed process does not leave behind.
        *("--nolock", "--drop-metadata", "--latency-wait", "2"),
        *("--profile", "none", "--workflow-profile", "none"),
        "--nocolor",
        # The source cache would be in the home folder, which may be read-only.
        *("--shared-fs-usage", *_SHARED),
    ]


def _slurm_options() -> list[str]:
    """Snakemake's Slurm executor; partition and account come from sbatch's variables."""
    config = ["scontrol", "show", "config"]
    shown = subprocess.run(config, capture_output=True, text=True, timeout=60, check=False).stdout
    has_accounts = "accounting_storage/none" not in shown
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


def _amounts(profile: Profile) -> list[str]:
    if profile.launcher == "slurm":
        return ["--jobs", str(profile.jobs or MOST_JOBS), "--scheduler", "greedy"]
    amounts = [f"mem_mb={profile.memory_mb}"] if profile.memory_mb else []
    amounts += [f"job={profile.jobs}"] if profile.jobs else []
    amounts += [f"gpu={profile.gpus}"] if profile.gpus else []
    return ["--cores", str(profile.cores), "--scheduler", "greedy", "--resources", *amounts]
