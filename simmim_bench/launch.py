"""Commands that start a tool with several processes, by torchrun or by Slurm's srun.

``tools/dist_*.sh`` and ``tools/slurm_*.sh`` run ``python -m simmim_bench.launch torchrun|srun``;
suites use the same functions. Imports no torch, so that errors come at once.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from simmim_bench import cli
from simmim_bench.errors import BenchError

SECONDS_TO_SAVE = "SIMMIM_BENCH_SECONDS_TO_SAVE"
"""Environment variable: how long a run that is asked to end has for its checkpoint."""
PROGRAM = ("-m", "simmim_bench")
"""Arguments of Python that run ``simmim-bench``."""
USAGE = (
    "usage: python -m simmim_bench.launch torchrun GPUS COMMAND ARGUMENTS... | "
    "srun PARTITION JOB_NAME COMMAND ARGUMENTS..."
)


def count_gpus() -> int:
    """Number of GPUs that this process may use."""
    return len(visible_gpus())


def visible_gpus() -> list[str]:
    """GPUs of CUDA_VISIBLE_DEVICES or, if it is not set, of nvidia-smi."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [device.strip() for device in visible.split(",")]
        return [name for name in names if name not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(number) for number in range(count)]


def check_processes(wanted: str, *, name: str = "GPUS") -> int:
    """Check that this machine has a GPU for each process, or a CPU core if it has no GPU.

    Args:
        wanted: Number of processes, as given by the user.
        name: What the user calls it.

    Raises:
        BenchError: If ``wanted`` is not an integer >= 1, or too large.
    """
    if not wanted.isdigit() or int(wanted) < 1:
        raise BenchError(f"{name} must be an integer >= 1, got {wanted!r}")
    gpus = count_gpus()
    cores = len(os.sched_getaffinity(0))
    limit = gpus or cores
    if int(wanted) > limit:
        has = f"{gpus} GPU(s)" if gpus else f"no GPU and {cores} CPU core(s)"
        raise BenchError(f"{name} must be at most {limit}, got {wanted}: this machine has {has}")
    return int(wanted)


def alone(tool: Sequence[str]) -> tuple[str, ...]:
    """Command that runs ``tool`` in one process.

    Args:
        tool: Name of a command of ``simmim-bench``, and its arguments.
    """
    return (sys.executable, "-P", *PROGRAM, *tool)


def torchrun(
    tool: Sequence[str], *, processes: int, rendezvous: Sequence[str] = ("--standalone",)
) -> tuple[str, ...]:
    """Command that runs ``tool`` in several processes on this machine.

    Args:
        tool: Name of a command of ``simmim-bench``, and its arguments.
        processes: Number of processes on this machine.
        rendezvous: How machines find one another; by default there is one, on a free port.
    """
    return (
        *(sys.executable, "-P", "-m", "torch.distributed.run", *rendezvous),
        *(f"--nproc_per_node={processes}", *PROGRAM, *tool, "--launcher", "pytorch"),
    )


def srun(
    tool: Sequence[str], *, processes: int, threads: int, more: Sequence[str] = ()
) -> tuple[str, ...]:
    """Command that runs ``tool`` as tasks of a Slurm job; if one fails, all end.

    Args:
        tool: Name of a command of ``simmim-bench``, and its arguments.
        processes: Number of tasks.
        threads: CPUs per task.
        more: Other options of srun.
    """
    return (
        *("srun", f"--ntasks={processes}", f"--cpus-per-task={threads}", "--kill-on-bad-exit=1"),
        *(*more, sys.executable, "-u", "-P", *PROGRAM, *tool, "--launcher", "slurm"),
    )


def seconds_to_save() -> int:
    """Seconds that a run has for its checkpoint after it was asked to end, 300 by default.

    Raises:
        BenchError: If the environment variable is not a valid number.
    """
    return _integer(os.environ, SECONDS_TO_SAVE, 300)


def torchrun_environment() -> dict[str, str]:
    """Variables for torchrun: patience, the signals that it passes on, and safe imports.

    By default it kills its processes 30 s after it was asked to end, and dies of SIGUSR1 itself;
    its processes would import any module of the current folder instead of the installed one.
    What the user has set is kept.

    Raises:
        BenchError: See ``seconds_to_save``.
    """
    ours = {
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(seconds_to_save()),
        "PET_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1",
        "PYTHONSAFEPATH": "1",
    }
    return {name: os.environ.get(name, value) for name, value in ours.items()}


def nodes_of(environment: Mapping[str, str]) -> list[str]:
    """Options of torchrun from NNODES, NODE_RANK, MASTER_ADDR and PORT.

    One node without PORT uses a free port, so that two runs on one machine do not collide.

    Raises:
        BenchError: If a variable is not a valid number, or is missing.
    """
    nodes = _integer(environment, "NNODES", 1)
    rank = _integer(environment, "NODE_RANK", 0, least=0)
    if rank >= nodes:
        raise BenchError(f"NODE_RANK must be from 0 to {nodes - 1} with NNODES={nodes}, got {rank}")
    for name in ("NODE_RANK", "MASTER_ADDR"):
        if nodes > 1 and name not in environment:
            raise BenchError(
                f"{name} is not set, but NNODES is {nodes}; set NODE_RANK on each node, and the "
                f"same MASTER_ADDR (of node 0) and PORT on all nodes"
            )
    if nodes == 1 and "PORT" not in environment:
        return ["--standalone"]
    port = _integer(environment, "PORT", 29500)
    return [
        *(f"--nnodes={nodes}", f"--node_rank={rank}"),
        *(f"--master_addr={environment.get('MASTER_ADDR', '127.0.0.1')}", f"--master_port={port}"),
    ]


def _integer(environment: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    value = environment.get(name, str(default))
    if not value.isdigit() or int(value) < least:
        raise BenchError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)


def slurm_of(environment: Mapping[str, str]) -> tuple[int, int, list[str]]:
    """Options of srun from GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS.

    Returns:
        Number of tasks, CPUs per task, other options.

    Raises:
        BenchError: If a variable is not a valid number.
    """
    tasks, threads = _integer(environment, "GPUS", 8), _integer(environment, "CPUS_PER_TASK", 5)
    per_node = min(tasks, _integer(environment, "GPUS_PER_NODE", 8, least=0))
    gpus = [f"--gres=gpu:{per_node}", f"--ntasks-per-node={per_node}"] if per_node else []
    more = [*gpus, *shlex.split(environment.get("SRUN_ARGS", ""))]
    return tasks, threads, more


def _main() -> None:
    """Replace this process by the command."""
    kind, *arguments = sys.argv[1:] or [""]
    command: tuple[str, ...]
    if kind == "torchrun" and len(arguments) >= 2:
        processes = check_processes(arguments[0])
        command = torchrun(arguments[1:], processes=processes, rendezvous=nodes_of(os.environ))
        os.environ.update(torchrun_environment())
    elif kind == "srun" and len(arguments) >= 3:
        partition, name, *tool = arguments
        processes, threads, more = slurm_of(os.environ)
        more = [f"--partition={partition}", f"--job-name={name}", *more]
        command = srun(tool, processes=processes, threads=threads, more=more)
    else:
        raise BenchError(USAGE)
    if not shutil.which(command[0]):
        raise BenchError(f"{command[0]} is not installed; run this on a machine that has Slurm")
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    cli.main(_main)
