"""Analyse: what backbones have learned, as figures and one page that opens anywhere."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of an analysis."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("images", type=Path, nargs="+", help="images, or folders, whose subfolders are classes")
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="exported backbone, checkpoint, folder of a run, or a config (random weights); repeat",
    )
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of page and figures")
    add("--count", type=int, default=256, help="most images to look at (default: 256)")
    add("--target-class", metavar="NAME", help="what Grad-CAM explains (default: the prediction)")
    add("--cam-layer", metavar="LAYER", help="block of Grad-CAM, for example 11 or 3.2")
    add(
        "--over-checkpoints",
        type=Path,
        metavar="DIR",
        help="a pretraining or a suite: error on the images and k-NN for every checkpoint",
    )
    add("--knn", metavar="CONFIG", help="config of that k-NN (default: the suite's)")
    add("--seed", type=cli.seed, default=0, help="of random weights, masks and t-SNE (default: 0)")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.representation.commands import analyze

    analyze(args, Console())


if __name__ == "__main__":
    cli.main(run)
