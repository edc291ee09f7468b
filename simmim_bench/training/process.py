"""Prepare a process for a run: operators, warnings, safe loading, the process group."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import warnings

from simmim_bench.errors import BenchError

LIBRARIES = ("mmpretrain", "mmdet", "mmseg")
# Warnings of the libraries that every run would print and that users can do nothing about.
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
    r".*Default ``avg_non_ignore`` is False.*",
)


def prepare(launcher: str, library: str) -> int:
    """Make this process ready to build models.

    Args:
        launcher: ``none``, ``pytorch`` or ``slurm``.
        library: Default scope of the config: mmpretrain, mmdet or mmseg.

    Returns:
        Number of processes of the run.

    Raises:
        BenchError: See ``start_distributed``.
    """
    for message in NOISE:
        warnings.filterwarnings("ignore", message=message)
    # Without it, mmengine loads a refused checkpoint again, with unsafe unpickling.
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    from simmim_bench import ops
    from simmim_bench.registry import imports

    ops.install()
    if library not in LIBRARIES:
        raise BenchError(
            f"default_scope must be one of {', '.join(LIBRARIES)}, got {library!r:.80}; correct it "
            f"in the config"
        )
    with imports():
        for name in (library, "mmpretrain"):  # all libraries use backbones of mmpretrain
            importlib.import_module(f"{name}.datasets")
        importlib.import_module("simmim_bench.data.augment")  # mmpretrain finds what mixes batches
    return start_distributed(launcher)


def start_distributed(launcher: str) -> int:
    """Start the process group on machines without a GPU, which mmengine does not support.

    Args:
        launcher: ``none``, ``pytorch`` or ``slurm``.

    Returns:
        Number of processes.

    Raises:
        BenchError: If the launcher did not start this process, or started more processes than
            there are GPUs.
    """
    if launcher == "none":
        return 1
    import torch
    import torch.distributed as dist

    if launcher == "slurm":
        _read_slurm()
    elif "WORLD_SIZE" not in os.environ:
        raise BenchError(
            "--launcher pytorch: WORLD_SIZE is not set, torchrun sets it; use tools/dist_train.sh"
        )
    for library in ("OMP", "MKL"):  # else mmengine sets them and warns
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
    gpus = torch.cuda.device_count()
    if gpus and local > gpus:
        raise BenchError(f"{local} processes were started on {gpus} GPU(s); start at most {gpus}")
    if not gpus and not dist.is_initialized():
        dist.init_process_group("gloo")
    return int(os.environ["WORLD_SIZE"])


def leave() -> None:
    """End the process group, if there is one; not after an error.

    Python aborts if a thread of gloo is still freeing a message at exit; this joins the threads.
    After an error the other processes may be waiting in a collective, so joining would not end.
    """
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()


def _read_slurm() -> None:
    """Set torch's variables from Slurm's."""
    try:
        rank, size = os.environ["SLURM_PROCID"], os.environ["SLURM_NTASKS"]
    except KeyError as missing:
        raise BenchError(
            f"--launcher slurm: {missing} is not set, srun sets it; use tools/slurm_train.sh"
        ) from missing
    # "8(x4)" if the job states no number per node
    stated = ("SLURM_NTASKS_PER_NODE", "SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE")
    tasks = next((os.environ[name] for name in stated if os.environ.get(name)), size)
    per_node = re.match(r"\d+", tasks)
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
    # One port per job, so that two jobs on one node do not collide.
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
