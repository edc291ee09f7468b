"""Describe configs: a table of every recipe and protocol, made from the configs themselves."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there (default: print)")
    return parser.parse_args()


def run() -> None:
    """Parse first: ``--help`` answers at once."""
    args = parse()
    from simmim_bench.io import atomic_write_text
    from simmim_bench.leaderboard.describe import describe

    text = describe(Path(__file__).resolve().parents[1] / "configs")
    if args.out:
        atomic_write_text(args.out, text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    cli.main(run)
