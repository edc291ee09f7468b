"""Export the backbone of a pretraining checkpoint for the downstream tasks."""

import argparse
import shlex
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

    weights = run_export(args.checkpoint, args.out)
    command = f"python tools/evaluate.py {shlex.quote(str(weights))}"
    sys.stdout.write(f"wrote {weights}\nnext: {command}\n")


if __name__ == "__main__":
    cli.main(run)
