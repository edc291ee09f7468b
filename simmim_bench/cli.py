"""What the command-line tools share: argument parents and the way they end.

Imports nothing heavy, so that every tool answers ``--help`` at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from simmim_bench.errors import BenchError

MOST_SEED = 2**32 - 1  # of NumPy
MOST_PORT = 2**16 - 1


def main(run: Callable[[], int | None], *, at_once: bool = False) -> NoReturn:
    """Call ``run`` and exit with its code; a ``BenchError`` becomes one line and code 2.

    Args:
        run: The tool; returns its exit code, None for 0.
        at_once: Leave without freeing objects one by one, which takes a second of a million;
            nothing registered with ``atexit`` runs.
    """
    try:
        code = run() or 0
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        code = 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.stderr.write(f"error: the disk is full ({error}); free some space and start again\n")
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    if at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def seed(text: str) -> int:
    """A random seed, for ``type=`` of an argument: 0 to 2**32 - 1, which every library takes.

    Raises:
        ArgumentTypeError: If it is another number, or none.
    """
    return _whole(text, 0, MOST_SEED)


def positive(text: str) -> int:
    """A whole number of at least 1, for ``type=`` of an argument.

    Raises:
        ArgumentTypeError: If it is another number, or none.
    """
    return _whole(text, 1, None)


def port(text: str) -> int:
    """A port to listen at, for ``type=`` of an argument: 0 to 65535; 0 stands for any free one.

    Raises:
        ArgumentTypeError: If it is another number, or none.
    """
    return _whole(text, 0, MOST_PORT)


def folder(text: str) -> Path:
    """A folder to write into, for ``type=`` of an argument; it need not be there yet.

    Raises:
        ArgumentTypeError: If a file stands in its place or in that of a folder above it.
    """
    path = Path(text)
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise argparse.ArgumentTypeError(f"{part} is a file, expected a folder; give another")
    return path


def _whole(text: str, least: int, most: int | None) -> int:
    upper = f" to {most}" if most is not None else " or more"
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least}{upper}")
    return value


def config_arguments() -> argparse.ArgumentParser:
    """Parent with a config, what may be changed in it, and where the data are."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("config", help="path of a config file, for example configs/simmim/*.py")
    parent.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override config values, for example train_cfg.max_epochs=3",
    )
    parent.add_argument(
        "--data-root", help="folder of this config's dataset (default: as in the config)"
    )
    parent.add_argument(
        "--num-classes", type=int, metavar="N", help="number of classes of the dataset"
    )
    return parent


def run_arguments() -> argparse.ArgumentParser:
    """Parent with what belongs to one run: folder, seed, launcher."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--work-dir", help="output folder (default: work_dirs/<config name>)")
    parent.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    parent.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="how the processes were started; dist_*.sh and slurm_*.sh set it",
    )
    parent.add_argument("--local-rank", "--local_rank", type=int, help=argparse.SUPPRESS)
    return parent
