"""Report: a page about each finished run, with curves, classes, pictures, config and versions."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of run reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="folder of a run, or of many runs"
    )
    return parser.parse_args()


def run() -> None:
    """Parse first: ``--help`` answers at once."""
    args = parse()
    from simmim_bench.leaderboard.web.run_report import write_reports

    sys.stdout.writelines(f"{path}\n" for path in write_reports(args.folders))


if __name__ == "__main__":
    cli.main(run)
