"""Where the stages of a suite run: processes here, torchrun here, or jobs of a Slurm cluster."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal

from simmim_bench import launch
from simmim_bench.errors import BenchError
from simmim_bench.suite.resources import Resources

Launcher = Literal["local", "torchrun", "slurm"]
PLUGIN = "snakemake_executor_plugin_slurm"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How trainings are started.

    Attributes:
        launcher: ``local`` starts one process for each training, whatever GPUs it asks for.
        gpus: GPUs, or processes where there are none, in use at any time; None: no limit of ours.
        on_gpus: Whether stages get GPUs rather than CPU processes.
    """

    launcher: Launcher = "local"
    gpus: int | None = None
    on_gpus: bool = False

    def processes(self, resources: Resources) -> int:
        """Processes of one training; gradients are accumulated when there are fewer than asked."""
        if self.launcher == "local":
            return 1
        return min(resources.gpus, self.gpus or resources.gpus)

    def command(self, tool: tuple[str, ...], resources: Resources) -> tuple[str, ...]:
        """Arguments that run ``tool``: an interpreter, a script and its arguments."""
        processes = self.processes(resources)
        if processes == 1:
            return tool
        if self.launcher == "torchrun":
            return launch.torchrun(tool[1:], processes=processes)
        return launch.srun(tool[1:], processes=processes, threads=resources.threads)


def choose_profile(launcher: Launcher, gpus: int | None) -> Profile:
    """The profile for this machine.

    Args:
        launcher: Of the command line.
        gpus: Of the command line; None for all that exist, or what the stages ask of Slurm.

    Raises:
        BenchError: If it cannot be had here.
    """
    if gpus is not None and gpus < 1:
        raise BenchError(f"--gpus is {gpus}; give a whole number from 1")
    if launcher == "slurm":
        _check_slurm()
        return Profile(launcher=launcher, gpus=gpus, on_gpus=_cluster_has_gpus())
    here = launch.count_gpus()
    if gpus is not None and (here or launcher == "torchrun"):
        launch.check_processes(str(gpus), name="--gpus")
    if launcher == "torchrun":
        gpus = gpus or here or len(os.sched_getaffinity(0))
    return Profile(launcher=launcher, gpus=gpus or here or None, on_gpus=here > 0)


def _check_slurm() -> None:
    missing = [name for name in ("sbatch", "srun", "squeue", "sinfo") if not shutil.which(name)]
    if missing:
        raise BenchError(
            f"--launcher slurm needs {missing[0]}, which is not on PATH; start the suite on a "
            f"login node of the cluster"
        )
    if importlib.util.find_spec(PLUGIN) is None:
        raise BenchError(
            "--launcher slurm needs Snakemake's executor for it; "
            "install it with `pip install 'simmim_bench[slurm]'`"
        )


def _cluster_has_gpus() -> bool:
    """Whether any partition offers GPUs; stages then ask for them."""
    asked = ["sinfo", "--noheader", "--format=%G"]
    found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    if found.returncode:
        raise BenchError(f"Slurm does not answer: {found.stderr.strip() or 'sinfo failed'}")
    return "gpu" in found.stdout
