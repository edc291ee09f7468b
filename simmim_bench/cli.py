"""What the command-line tools share: argument types, argument parents and exit codes.

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

LARGEST_SEED = 2**32 - 1  # of NumPy
LARGEST_PORT = 2**16 - 1


def main(run: Callable[[], int | None], *, at_once: bool = False) -> NoReturn:
    """Call ``run`` and exit with its code; a ``BenchError`` prints one line and exits with code 2.

    Args:
        run: The tool; returns its exit code, or None for 0.
        at_once: Exit without freeing objects, which takes a second for a million of them;
            functions of ``atexit`` do not run.
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
    """``type=`` of a random seed: an integer from 0 to 2**32 - 1, the range of NumPy.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 0, LARGEST_SEED)


def positive(text: str) -> int:
    """``type=`` of an integer >= 1.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 1, None)


def port(text: str) -> int:
    """``type=`` of a port, 0 to 65535; 0: any free port.

    Raises:
        ArgumentTypeError: If ``text`` is anything else.
    """
    return _integer(text, 0, LARGEST_PORT)


def folder(text: str) -> Path:
    """``type=`` of an output folder, which need not exist.

    Raises:
        ArgumentTypeError: If it, or a folder above it, is a file.
    """
    path = Path(text)
    for part in (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise argparse.ArgumentTypeError(f"{part} is a file, expected a folder")
    return path


def config_arguments() -> argparse.ArgumentParser:
    """Parent parser: a config, changes to it, and the folder of the data."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("config", help="config file, for example configs/demo/simmim_swin-demo.py")
    parent.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override config values, for example train_cfg.max_epochs=3",
    )
    parent.add_argument(
        "--data-root", help="folder of the config's dataset (default: as in the config)"
    )
    parent.add_argument(
        "--num-classes", type=positive, metavar="N", help="number of classes of the dataset"
    )
    return parent


def run_arguments() -> argparse.ArgumentParser:
    """Parent parser: output folder, seed and launcher of a run."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--work-dir", help="output folder (default: work_dirs/<config name>)")
    parent.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    parent.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm"],
        default="none",
        help="how the processes were started; set by dist_*.sh and slurm_*.sh",
    )
    parent.add_argument("--local-rank", "--local_rank", type=int, help=argparse.SUPPRESS)
    return parent


def _integer(text: str, least: int, most: int | None) -> int:
    expected = f">= {least}" if most is None else f"from {least} to {most}"
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        raise argparse.ArgumentTypeError(f"must be an integer {expected}, got {text!r}")
    return value
