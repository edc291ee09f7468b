"""Serve a page on which one draws over an image and a pretrained model paints it."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config of a pretraining")
    add("checkpoint", type=Path, help="epoch_N.pth, or the folder of a finished run")
    add("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    add("--port", type=cli.port, default=7860, help="0: the first free one from 7860, the default")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.painting.page import serve

    serve(args, Console())


if __name__ == "__main__":
    cli.main(run)
