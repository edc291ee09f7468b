"""Export the backbone of a pretraining checkpoint for the downstream tasks."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of an export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="epoch_N.pth of a pretraining run, or the folder of a finished one",
    )
    parser.add_argument(
        "--out",
        type=cli.folder,
        required=True,
        metavar="DIR",
        help="folder for backbone.pth, backbone.json and manifest.json",
    )
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from simmim_bench import ops

    ops.install()
    from simmim_bench.weights.export import run_export

    sys.stdout.write(f"wrote {run_export(args.checkpoint, args.out)}\n")


if __name__ == "__main__":
    cli.main(run)
