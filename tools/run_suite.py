"""Run a suite: pretrainings, downstream tasks and the leaderboard; what is done stays done."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a suite."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path, help="suite file, for example configs/suites/demo.yaml")
    parser.add_argument("--seeds", type=int, metavar="N", help="instead of the file's number")
    parser.add_argument(
        "--cores", type=int, metavar="N", help="CPU threads in use at any time (default: all)"
    )
    parser.add_argument("--work-dir", type=Path, help="output folder (default: work_dirs/<name>)")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="STAGE",
        help="run only these stages and what they need: an id, a pattern of ids, or a part of one "
        "such as detection",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would run, why and at what cost; run none"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show for each stage which of its inputs changed"
    )
    parser.add_argument(
        "--keep-going",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the other stages after one has failed",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="stages that run at once")
    parser.add_argument(
        "--launcher",
        choices=["local", "torchrun", "slurm"],
        default="local",
        help="one process for each training here, or as many as its resources say with torchrun "
        "here, or each stage as a Slurm job (default: local)",
    )
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs in use at any time")
    parser.add_argument(
        "--webhook", metavar="URL", help="post a summary as JSON to this address at the end"
    )
    return parser.parse_args()


def run() -> int:
    """Parse first: the libraries take a moment."""
    args = parse()
    from rich.console import Console

    from simmim_bench.suite.run import Options, run_suite

    options = Options(
        suite=args.suite,
        root=Path(__file__).resolve().parents[1],
        seeds=args.seeds,
        cores=args.cores,
        work_dir=args.work_dir,
        only=tuple(args.only),
        dry_run=args.dry_run,
        explain=args.explain,
        keep_going=args.keep_going,
        jobs=args.jobs,
        launcher=args.launcher,
        gpus=args.gpus,
        webhook=args.webhook,
    )
    width = None if sys.stdout.isatty() else 120  # of lines in a log
    return run_suite(options, Console(width=width))


if __name__ == "__main__":
    cli.main(run)
