"""Start a tool with several processes: the one place that knows torchrun's and srun's words.

``tools/dist_*.sh`` and ``tools/slurm_*.sh`` run ``python -m simmim_bench.launch torchrun|srun ...``
and suites use the same functions. Imports no torch: a refusal comes at once.
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

USAGE = (
    "usage: python -m simmim_bench.launch torchrun GPUS TOOL ARGUMENTS... | "
    "srun PARTITION JOB_NAME TOOL ARGUMENTS..."
)


def count_gpus() -> int:
    """GPUs that CUDA_VISIBLE_DEVICES, or else nvidia-smi, shows."""
    return len(visible_gpus())


def visible_gpus() -> list[str]:
    """Their names for CUDA_VISIBLE_DEVICES."""
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
    """Refuse more processes than this machine has GPUs, or CPU cores where it has none.

    Raises:
        BenchError: If ``wanted`` is no positive number, or too large.
    """
    if not wanted.isdigit() or int(wanted) < 1:
        raise BenchError(f"{name} is {wanted!r}; give a whole number from 1")
    gpus = count_gpus()
    cores = len(os.sched_getaffinity(0))
    limit = gpus or cores
    if int(wanted) > limit:
        has = f"{gpus} GPU(s)" if gpus else f"no GPU and {cores} CPU core(s)"
        raise BenchError(f"{name} is {wanted}, but this machine has {has}; give at most {limit}")
    return int(wanted)


def torchrun(
    tool: Sequence[str], *, processes: int, rendezvous: Sequence[str] = ("--standalone",)
) -> tuple[str, ...]:
    """Command that runs ``tool`` (a script and its arguments) in ``processes`` processes here.

    Args:
        tool: Script of ``tools/`` and its arguments.
        processes: Number on this machine.
        rendezvous: How nodes find one another; by default there is this one, on a free port.
    """
    return (
        *(sys.executable, "-m", "torch.distributed.run", *rendezvous),
        *(f"--nproc_per_node={processes}", *tool, "--launcher", "pytorch"),
    )


def srun(
    tool: Sequence[str], *, processes: int, threads: int, more: Sequence[str] = ()
) -> tuple[str, ...]:
    """Command that runs ``tool`` as ``processes`` tasks of a Slurm job; one that dies ends all.

    Args:
        tool: Script of ``tools/`` and its arguments.
        processes: Number of tasks.
        threads: CPUs of each.
        more: Further options of srun.
    """
    return (
        *("srun", f"--ntasks={processes}", f"--cpus-per-task={threads}", "--kill-on-bad-exit=1"),
        *(*more, sys.executable, "-u", *tool, "--launcher", "slurm"),
    )


def nodes_of(environment: Mapping[str, str]) -> list[str]:
    """Options of torchrun from NNODES, NODE_RANK, MASTER_ADDR and PORT.

    One node without PORT takes a free port, so that two runs on a machine do not meet.

    Raises:
        BenchError: If a number is none, or a node does not know its place.
    """
    nodes = _number(environment, "NNODES", 1)
    rank = _number(environment, "NODE_RANK", 0, least=0)
    if rank >= nodes:
        raise BenchError(f"NODE_RANK is {rank} of NNODES={nodes}; nodes count from 0")
    for name in ("NODE_RANK", "MASTER_ADDR"):
        if nodes > 1 and name not in environment:
            raise BenchError(
                f"NNODES is {nodes} and {name} is not set; give each node its NODE_RANK, and all "
                f"of them the MASTER_ADDR of node 0 and one PORT"
            )
    if nodes == 1 and "PORT" not in environment:
        return ["--standalone"]
    port = _number(environment, "PORT", 29500)
    return [
        *(f"--nnodes={nodes}", f"--node_rank={rank}"),
        *(f"--master_addr={environment.get('MASTER_ADDR', '127.0.0.1')}", f"--master_port={port}"),
    ]


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    value = environment.get(name, str(default))
    if not value.isdigit() or int(value) < least:
        raise BenchError(f"{name} is {value!r}; give a whole number from {least}")
    return int(value)


def slurm_of(environment: Mapping[str, str]) -> tuple[int, int, list[str]]:
    """Tasks, CPUs of each and further options of srun from GPUS, GPUS_PER_NODE and the like.

    Raises:
        BenchError: If one of them is no number.
    """
    tasks, threads = _number(environment, "GPUS", 8), _number(environment, "CPUS_PER_TASK", 5)
    per_node = min(tasks, _number(environment, "GPUS_PER_NODE", 8, least=0))
    gpus = [f"--gres=gpu:{per_node}", f"--ntasks-per-node={per_node}"] if per_node else []
    more = [*gpus, *shlex.split(environment.get("SRUN_ARGS", ""))]
    return tasks, threads, more


def _main() -> None:
    """Become the launched command."""
    kind, *arguments = sys.argv[1:] or [""]
    command: tuple[str, ...]
    if kind == "torchrun" and len(arguments) >= 2:
        processes = check_processes(arguments[0])
        command = torchrun(arguments[1:], processes=processes, rendezvous=nodes_of(os.environ))
    elif kind == "srun" and len(arguments) >= 3:
        partition, name, *tool = arguments
        processes, threads, more = slurm_of(os.environ)
        more = [f"--partition={partition}", f"--job-name={name}", *more]
        command = srun(tool, processes=processes, threads=threads, more=more)
    else:
        raise BenchError(USAGE)
    if not shutil.which(command[0]):
        raise BenchError(f"{command[0]} is not installed; run this where Slurm's commands are")
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    cli.main(_main)
