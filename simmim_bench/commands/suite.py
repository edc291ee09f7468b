"""Run a suite: pretrainings, downstream tasks and the leaderboard; skips what is done."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a suite."""
    parser.add_argument(
        "suite", type=cli.suite, help="suite file, or name of one of the package: demo"
    )
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="number of seeds (default: the file's)"
    )
    parser.add_argument(
        "--cores", type=int, metavar="N", help="CPU threads in use at any time (default: all)"
    )
    parser.add_argument("--work-dir", type=Path, help="output folder (default: work_dirs/<name>)")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="STAGE",
        help="run only these stages and those that they need: ids, patterns, or parts of ids such "
        "as detection",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="show what would run, why and at what cost; run nothing",
    )
    parser.add_argument(
        "--explain", action="store_true", help="show which inputs of each stage changed"
    )
    parser.add_argument(
        "--keep-going",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the other stages after one has failed",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="stages that run at once (default: as many as fit)"
    )
    parser.add_argument(
        "--launcher",
        choices=["local", "torchrun", "slurm"],
        default="local",
        help="local: one process for each training; torchrun: as many as its resources say; slurm: "
        "each stage is a job (default: local)",
    )
    parser.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs in use at any time (default: all)"
    )
    parser.add_argument(
        "--webhook", metavar="URL", help="post a summary as JSON to this URL at the end"
    )


def run(args: argparse.Namespace) -> int:
    """Run the suite."""
    from rich.console import Console

    from simmim_bench.plugins import imported
    from simmim_bench.suite.run import Options, run_suite

    options = Options(**{**vars(args), "root": Path.cwd(), "only": tuple(args.only),
                         "imports": imported()})  # fmt: skip
    width = None if sys.stdout.isatty() else 120  # of lines in a log
    return run_suite(options, Console(width=width))
