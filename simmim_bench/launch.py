"""How many processes this machine can run; asked by the shell launchers before they start.

``python -m simmim_bench.launch N`` ends with 0 if N processes fit, else with one sentence.
Imports no torch: the answer comes at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from simmim_bench import cli
from simmim_bench.errors import BenchError


def count_gpus() -> int:
    """GPUs that CUDA_VISIBLE_DEVICES, or else nvidia-smi, shows."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    if not shutil.which("nvidia-smi"):
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def check_processes(wanted: str) -> None:
    """Refuse more processes than this machine has GPUs, or CPU cores where it has none.

    Raises:
        BenchError: If ``wanted`` is no positive number, or too large.
    """
    if not wanted.isdigit() or int(wanted) < 1:
        raise BenchError(f"GPUS is {wanted!r}; give a whole number from 1")
    gpus = count_gpus()
    cores = len(os.sched_getaffinity(0))
    limit = gpus or cores
    if int(wanted) > limit:
        has = f"{gpus} GPU(s)" if gpus else f"no GPU and {cores} CPU core(s)"
        raise BenchError(f"GPUS is {wanted}, but this machine has {has}; give at most {limit}")


def _main() -> None:
    if len(sys.argv) != 2:
        raise BenchError("usage: python -m simmim_bench.launch N")
    check_processes(sys.argv[1])


if __name__ == "__main__":
    cli.main(_main)
