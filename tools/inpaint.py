"""Inpaint: a pretrained model paints what a mask hides; all other pixels stay as they are."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of an inpainting."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config of a pretraining")
    add("checkpoint", type=Path, help="epoch_N.pth, or the folder of a finished run")
    add("images", type=Path, nargs="+", help="image files, or folders of them")
    add("--mask", type=Path, help="PNG of the image's size, white = paint (default: random)")
    add("--ratio", type=float, default=0.6, help="hidden share of a random mask (default: 0.6)")
    add("--seed", type=cli.seed, default=0, help="seed of the random masks (default: 0)")
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of the painted PNGs")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.painting.inpaint import run_inpaint

    run_inpaint(args, Console())


if __name__ == "__main__":
    cli.main(run)
