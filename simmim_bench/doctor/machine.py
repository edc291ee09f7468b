"""The machine: processor, memory, threads, GPUs by the driver, launchers; imports no torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from simmim_bench.doctor.finding import Finding, size
from simmim_bench.records.names import counted

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (looked at, not written)
ENOUGH_SHARED = 1e9
"""Bytes of shared memory below which loaders with several processes often fail."""
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
SECONDS = 10
"""For a program that describes the machine."""


def check_processor() -> Iterator[Finding]:
    """Kind, instructions for bfloat16, usable cores and memory."""
    described = _cpu_info()
    flags = {*described.get("flags", "").split()}
    known = [name for name in INSTRUCTIONS if name in flags]
    cores, quota = len(os.sched_getaffinity(0)), _quota()
    text = f"{described.get('model name', platform.machine())}, {counted(cores, 'usable core')}"
    text += f", {', '.join(known)}" if known else ""
    text += f", {size(_memory())} of memory"
    if quota is not None and quota < cores:
        yield Finding(
            "processor",
            "note",
            f"{text}; this container may use only {quota:g} of the cores",
            f"export OMP_NUM_THREADS={max(1, int(quota))}, or training is slowed by idle threads",
        )
    elif flags and "avx2" not in flags and platform.machine() == "x86_64":
        yield Finding(
            "processor", "note", f"{text}; it lacks AVX2", "training works, but slowly; use another"
        )
    else:
        yield Finding("processor", "ok", text)
    fast = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    also = f"fast ({', '.join(fast)})" if fast else "slow on this processor, use float32"
    yield Finding("bfloat16 on CPU", "ok", also)


def _cpu_info() -> dict[str, str]:
    """Fields of the first processor in ``/proc/cpuinfo``; empty where there is none."""
    file = PROC / "cpuinfo"
    if not file.is_file():
        return {}
    first = file.read_text("utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _quota() -> float | None:
    """Cores that the control group may use; None without a limit."""
    file = CGROUP / "cpu.max"
    if not file.is_file():
        return None
    limit, _, period = file.read_text("utf-8").partition(" ")
    return None if limit.strip() == "max" else float(limit) / float(period)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_threads() -> Iterator[Finding]:
    """``OMP_NUM_THREADS`` is a number that the machine has cores for."""
    given, cores = os.environ.get("OMP_NUM_THREADS"), len(os.sched_getaffinity(0))
    if given is None:
        yield Finding("threads", "ok", f"OMP_NUM_THREADS is not set: up to {cores} a process")
    elif not given.isdigit() or int(given) < 1:
        remedy = "unset OMP_NUM_THREADS, or set it to the number of cores"
        yield Finding("threads", "problem", f"OMP_NUM_THREADS={given!r} is no number >= 1", remedy)
    elif int(given) > cores:
        remedy = f"export OMP_NUM_THREADS={cores}"
        text = f"OMP_NUM_THREADS={given}, but this process has {counted(cores, 'core')}"
        yield Finding("threads", "note", text, remedy)
    else:
        yield Finding("threads", "ok", f"OMP_NUM_THREADS={given}")


def gpus_of_driver() -> list[str]:
    """Name, driver and memory of each GPU that the NVIDIA driver knows; empty without a driver.

    Raises:
        RuntimeError: If the driver does not answer.
    """
    if not shutil.which("nvidia-smi"):
        return []
    asked = "--query-gpu=name,driver_version,memory.total"
    command = ["nvidia-smi", asked, "--format=csv,noheader"]
    try:
        shown = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"nvidia-smi does not answer within {SECONDS} s") from error
    if shown.returncode:
        said = (shown.stdout or shown.stderr).strip().splitlines() or ["it says nothing"]
        raise RuntimeError(f"nvidia-smi fails with code {shown.returncode}: {said[0]}")
    return [line.strip() for line in shown.stdout.splitlines() if line.strip()]


def check_driver() -> Iterator[Finding]:
    """GPUs that the driver knows, and those that this process is allowed to see."""
    try:
        gpus = gpus_of_driver()
    except RuntimeError as error:
        remedy = "reboot after an update of the driver, or reinstall it; without it, the CPU trains"
        yield Finding("GPU driver", "problem", str(error), remedy)
        return
    if not gpus:
        yield Finding("GPU driver", "ok", "no NVIDIA driver; the CPU trains")
        return
    counts = {name: gpus.count(name) for name in gpus}
    text = "; ".join(f"{number} x {name}" for name, number in counts.items())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        remedy = "unset CUDA_VISIBLE_DEVICES to train on them"
        yield Finding("GPU driver", "note", f"{text}, hidden by CUDA_VISIBLE_DEVICES", remedy)
    else:
        yield Finding("GPU driver", "ok", text)


def check_shared_memory() -> Iterator[Finding]:
    """Loaders with several processes pass batches through shared memory."""
    if not SHARED_MEMORY.is_dir():
        remedy = "set train_dataloader.num_workers=0 if a loader fails"
        yield Finding("shared memory", "note", f"there is no {SHARED_MEMORY}", remedy)
        return
    usage = shutil.disk_usage(SHARED_MEMORY)
    text = f"{size(usage.free)} free of {size(usage.total)}"
    if usage.free >= ENOUGH_SHARED:
        yield Finding("shared memory", "ok", text)
        return
    remedy = "docker run --shm-size=8g (or --ipc=host), or train_dataloader.num_workers=0"
    yield Finding("shared memory", "note", f"{text}: little for loaders", remedy)


def check_launchers() -> Iterator[Finding]:
    """What starts trainings of several processes."""
    spec = importlib.util.find_spec("torch")  # does not import it
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    run = folder is not None and (folder / "distributed" / "run.py").is_file()
    slurm = [name for name in ("sbatch", "srun") if shutil.which(name)]
    inside = " (inside a job)" if "SLURM_JOB_ID" in os.environ else ""
    texts = [
        "torchrun" if run else "no torchrun",
        f"Slurm's {' and '.join(slurm)}{inside}" if slurm else "no Slurm",
    ]
    yield Finding("launchers", "ok", ", ".join(texts))
