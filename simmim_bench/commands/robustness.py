"""Test a classifier on ImageNet-A, -R, -V2, -Sketch, -C and ReaL labels, or on corrupted images."""

import argparse
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a test."""
    add = parser.add_argument
    add("run", type=Path, help="work dir of a finished training, or a checkpoint in it")
    add(
        "--sets",
        nargs="+",
        metavar="SET",
        help="imagenet-a, imagenet-c, imagenet-r, imagenet-real, imagenet-sketch, imagenet-v2, "
        "demo-c, or config files (default: all with the classes of the model)",
    )
    add(
        "--out",
        type=cli.folder,
        metavar="DIR",
        help="output folder (default: robustness/ in the work dir)",
    )
    add("--batch", type=cli.positive, metavar="N", help="images at once (default: of the set)")


def run(args: argparse.Namespace) -> None:
    """Test."""
    from rich.console import Console

    from simmim_bench.training.robustness import robustness

    robustness(args, Console())
