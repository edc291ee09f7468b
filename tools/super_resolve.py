"""Enlarge images 2 or 4 times, with detail that a pretrained model paints."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a super-resolution."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config of a pretraining")
    add("checkpoint", type=Path, help="epoch_N.pth, or the folder of a finished run")
    add("images", type=Path, nargs="+", help="image files, or folders of them")
    add("--scale", type=int, default=2, help="2 or 4 (default: 2)")
    add("--seed", type=cli.seed, default=0, help="seed of the hidden halves (default: 0)")
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of the enlarged PNGs")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.painting.super_resolve import run_super_resolve

    run_super_resolve(args, Console())


if __name__ == "__main__":
    cli.main(run)
