"""Prepare a process for a run: operators, warnings, safe loading, gloo on a CPU."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator

from simmim_bench.errors import BenchError

# Upstream warnings that every run would print and nobody can act on.
NOISE = (
    r".*FileClient.*",
    r".*HardDiskBackend.*",
    r".*Skipping OneDL datasets.*",
    r".*the drawn (bbox|polygon) may not be in the image.*",
    r".*pkg_resources is deprecated.*",
    r".*torch.meshgrid.*",
    r".*The verbose parameter is deprecated.*",
    r".*`torch.cuda.amp.*",
    r".*'pin_memory' argument is set as true but no accelerator.*",
    r".*`broadcast_buffers` is deprecated.*",
    r".*The prefix is not set in metric class.*",
)


def prepare(launcher: str, library: str) -> int:
    """Make this process ready to build models and return the number of processes.

    Args:
        launcher: ``none``, ``pytorch`` or ``slurm``.
        library: The config's default scope: mmpretrain, mmdet or mmseg.

    Raises:
        BenchError: If more processes than devices were started.
    """
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    # mmengine falls back to unsafe unpickling when a checkpoint is refused; torch then refuses.
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    from simmim_bench import ops

    ops.install()
    with imports():
        for name in (library, "mmpretrain"):  # whose backbones all libraries use
            importlib.import_module(f"{name}.datasets")
    return start_distributed(launcher)


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Drop the line that the libraries' datasets print when they are imported."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        yield
    sys.stdout.writelines(
        line for line in printed.getvalue().splitlines(True) if "Could not import OneDL" not in line
    )


def start_distributed(launcher: str) -> int:
    """Initialise the process group where mmengine cannot: on machines without a GPU.

    Args:
        launcher: ``none``, ``pytorch`` or ``slurm``.

    Returns:
        Number of processes.

    Raises:
        BenchError: If the launcher did not start this process, or more than there are GPUs.
    """
    if launcher == "none":
        return 1
    import torch
    import torch.distributed as dist

    if launcher == "slurm":
        _read_slurm()
    elif "WORLD_SIZE" not in os.environ:
        raise BenchError(
            "--launcher pytorch needs torchrun, which sets WORLD_SIZE; use tools/dist_train.sh"
        )
    for library in ("OMP", "MKL"):  # mmengine would set and warn; torchrun sets the first
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    gpus = torch.cuda.device_count()
    if gpus and local > gpus:
        raise BenchError(
            f"{local} processes were started, but this machine has {gpus} GPU(s); start {gpus}"
        )
    if not gpus and not dist.is_initialized():
        dist.init_process_group("gloo")
    return int(os.environ["WORLD_SIZE"])


def leave() -> None:
    """End the process group of a run that went well, if it has one.

    A thread of gloo that frees its last message while Python shuts down aborts the process;
    ending the group first joins its threads. After an error the others may still wait in a
    collective, so nobody waits for them here.
    """
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _read_slurm() -> None:
    """Translate Slurm's variables into torch's."""
    try:
        rank, size = os.environ["SLURM_PROCID"], os.environ["SLURM_NTASKS"]
    except KeyError as missing:
        raise BenchError(
            f"--launcher slurm needs srun, which sets {missing}; use tools/slurm_train.sh"
        ) from missing
    # "8(x4)" where nobody asked for a number on each node
    stated = ("SLURM_NTASKS_PER_NODE", "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
    told = next((os.environ[name] for name in stated if os.environ.get(name)), size)
    per_node = re.match(r"\d+", told)
    local_size = per_node.group() if per_node else size
    if "SLURM_GPUS_PER_TASK" in os.environ:  # each task sees its own GPU, as number 0
        os.environ["SLURM_LOCALID"], local_size = "0", "1"
    os.environ.update(
        RANK=rank,
        WORLD_SIZE=size,
        LOCAL_RANK=os.environ.get("SLURM_LOCALID", "0"),
        LOCAL_WORLD_SIZE=local_size,
    )
    os.environ.setdefault("MASTER_ADDR", _first_host(os.environ.get("SLURM_NODELIST", "")))
    # One port per job, so that two jobs on one node do not meet.
    port = 20000 + int(os.environ.get("SLURM_JOB_ID", "0")) % 20000
    os.environ.setdefault("MASTER_PORT", str(port))


def _first_host(nodes: str) -> str:
    if not nodes:
        return "127.0.0.1"
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise BenchError(
            f"`{' '.join(command)}` failed ({error}); set MASTER_ADDR to the first node of the job"
        ) from error
    return shown.stdout.split()[0]
