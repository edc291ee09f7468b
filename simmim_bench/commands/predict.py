"""Predict with a training for any images; needs neither labels nor its data."""

import argparse
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a prediction."""
    add = parser.add_argument
    add("run", type=Path, help="work dir of a training, or a checkpoint in it")
    add("images", type=Path, nargs="+", help="image files, or folders of them")
    add(
        "--out",
        type=cli.folder,
        metavar="DIR",
        help="output folder (default: work_dirs/predict/<name of the run>)",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="checkpoint of the run (default: the one that it ended with)",
    )
    add(
        "--batch",
        type=cli.positive,
        metavar="N",
        help="images at once (default: 1 for detection, segmentation and depth, else 32)",
    )
    add(
        "--top",
        type=cli.positive,
        default=5,
        metavar="N",
        help="classes, or nearest training images, of each image (default: 5)",
    )
    add(
        "--threshold",
        type=cli.share,
        default=0.3,
        metavar="SCORE",
        help="least score of an object in the pictures (default: 0.3)",
    )


def run(args: argparse.Namespace) -> int:
    """Predict."""
    from rich.console import Console

    from simmim_bench.analysis.predict.command import predict

    return predict(args, Console())
