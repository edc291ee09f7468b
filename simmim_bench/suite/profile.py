"""Where the stages of a suite run, and how much they may use together."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

import psutil

from simmim_bench import launch
from simmim_bench.errors import BenchError
from simmim_bench.suite.steps import Resources

Launcher = Literal["local", "torchrun", "slurm"]
PLUGIN = "snakemake_executor_plugin_slurm"
MOST_JOBS = 100  # in Slurm's queue, without --jobs


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How stages are started, and their limits; under Slurm only ``jobs`` limits them.

    Attributes:
        launcher: ``local`` starts one process for each training; ``torchrun`` as many as its
            resources say; ``slurm`` runs each stage as a job.
        gpus: GPUs, or processes where there are none, in use at any time; None: no limit.
        on_gpus: Whether stages get GPUs rather than CPU processes.
        cores: CPU threads in use at any time.
        jobs: Stages that run at once; None: no limit.
        memory_mb: Main memory for the stages that state theirs; None: no limit.
        keep_going: Whether stages start after one has failed.
    """

    launcher: Launcher = "local"
    gpus: int | None = None
    on_gpus: bool = False
    cores: int = 1
    jobs: int | None = None
    memory_mb: int | None = None
    keep_going: bool = True

    def processes(self, resources: Resources) -> int:
        """Processes of one training; with fewer than it asks for, gradients are accumulated."""
        if self.launcher == "local":
            return 1
        return min(resources.gpus, self.gpus or resources.gpus)

    def command(self, tool: tuple[str, ...], resources: Resources) -> tuple[str, ...]:
        """Command line that runs ``tool``, a command of ``simmim-bench`` and its arguments."""
        processes = self.processes(resources)
        if processes == 1:
            return launch.alone(tool)
        if self.launcher == "torchrun":
            return launch.torchrun(tool, processes=processes)
        return launch.srun(tool, processes=processes, threads=resources.threads)

    def __str__(self) -> str:
        if self.launcher == "slurm":
            return f"as Slurm jobs, at most {self.jobs or MOST_JOBS} at once"
        gpus = f" and {self.gpus} GPU(s)" if self.on_gpus else ""
        return f"on {self.cores} core(s){gpus}"


def choose_profile(
    launcher: Launcher,
    *,
    gpus: int | None = None,
    cores: int | None = None,
    jobs: int | None = None,
    keep_going: bool = True,
) -> Profile:
    """The profile for this machine, from options of the command line.

    Args:
        launcher: See ``Profile``.
        gpus: Limit; None for all of this machine, or what the stages ask of Slurm.
        cores: Limit; None for all that this process may use.
        jobs: Limit; None for as many as the other limits allow.
        keep_going: Whether stages start after one has failed.

    Raises:
        BenchError: If a limit, or the time to save, is below 1, or this machine lacks what the
            launcher needs.
    """
    for name, value in (("cores", cores), ("jobs", jobs), ("gpus", gpus)):
        if value is not None and value < 1:
            raise BenchError(f"--{name} must be an integer >= 1, got {value}")
    launch.seconds_to_save()  # raises now instead of when the first stage is asked to end
    own_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    on_gpus = False
    if launcher == "slurm":
        _check_slurm()
        on_gpus = _cluster_has_gpus()
    else:
        own_gpus = launch.count_gpus()
        on_gpus = own_gpus > 0
        if gpus is not None and (own_gpus or launcher == "torchrun"):
            launch.check_processes(str(gpus), name="--gpus")
        gpus = gpus or own_gpus or (own_cores if launcher == "torchrun" else None)
    return Profile(
        launcher=launcher,
        gpus=gpus,
        on_gpus=on_gpus,
        cores=cores or own_cores or 1,
        jobs=jobs,
        memory_mb=psutil.virtual_memory().total // 2**20,
        keep_going=keep_going,
    )


def _check_slurm() -> None:
    missing = [name for name in ("sbatch", "srun", "squeue", "sinfo") if not shutil.which(name)]
    if missing:
        raise BenchError(
            f"--launcher slurm needs {missing[0]}, which is not on PATH; start the suite on a "
            f"login node of the cluster"
        )
    if importlib.util.find_spec(PLUGIN) is None:
        raise BenchError(
            "--launcher slurm needs Snakemake's Slurm executor; install it with "
            "`pip install 'simmim_bench[slurm]'`"
        )
    if " " in sys.executable:  # Snakemake's job scripts do not quote it
        raise BenchError(
            f"--launcher slurm needs a Python whose path has no space, got {sys.executable}; make "
            f"the environment in another folder"
        )


def _cluster_has_gpus() -> bool:
    """Whether any partition offers GPUs; stages then ask for them."""
    command = ["sinfo", "--noheader", "--format=%G"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if shown.returncode:
        raise BenchError(f"Slurm does not answer: {shown.stderr.strip() or 'sinfo failed'}")
    return "gpu" in shown.stdout
