"""Prepare a dataset under the data root: build the demo data, or link a copy that you have."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a preparation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "dataset",
        choices=["demo", "imagenet", "coco", "ade20k"],
        help="demo is built from installed packages; the others need --source",
    )
    parser.add_argument(
        "--out", type=Path, metavar="ROOT", help="data root (default: SIMMIM_BENCH_DATA, or data)"
    )
    parser.add_argument(
        "--source", type=Path, metavar="PATH", help="your copy of the dataset, to be linked"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="open every image and check annotations instead; exit code 1 if anything is wrong",
    )
    return parser.parse_args()


def run() -> int:
    """Parse first: the libraries take a moment."""
    args = parse()
    from rich.console import Console

    from simmim_bench.data.prepare import prepare

    return prepare(
        args.dataset, out=args.out, source=args.source, verify=args.verify, console=Console()
    )


if __name__ == "__main__":
    cli.main(run)
