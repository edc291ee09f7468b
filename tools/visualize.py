"""Visualize: what a pretrained model paints on masked images, with PSNR and SSIM."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a look at a pretraining."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config of a pretraining")
    add("checkpoint", type=Path, help="epoch_N.pth, or the folder of a finished run")
    add("images", type=Path, nargs="+", help="image files, or folders of them")
    add("--out", type=Path, default=Path("reconstruction.png"), help="PNG (default: %(default)s)")
    add("--scale", type=cli.positive, default=1, help="enlarge the picture this many times")
    add("--seed", type=cli.seed, default=0, help="seed of the masks (default: 0)")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.reconstruct import visualize

    visualize(args, Console())


if __name__ == "__main__":
    cli.main(run)
