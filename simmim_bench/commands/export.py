"""Export the backbone of a checkpoint for the downstream tasks."""

import argparse
import shlex
import sys
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an export."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        help="epoch_N.pth of a pretraining or fine-tuning, or the folder of a finished run",
    )
    parser.add_argument(
        "--out",
        type=cli.folder,
        required=True,
        metavar="DIR",
        help="folder for backbone.pth, backbone.json and manifest.json",
    )


def run(args: argparse.Namespace) -> None:
    """Export."""
    from simmim_bench import ops

    ops.install()
    from simmim_bench.plugins import flags, imported
    from simmim_bench.weights.export import run_export

    weights = run_export(args.checkpoint, args.out)
    command = shlex.join(["simmim-bench", "evaluate", str(weights), *flags(imported())])
    sys.stdout.write(f"wrote {weights}\nnext: {command}\n")
