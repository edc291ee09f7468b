"""Measure inpainting and super-resolution of a finished pretraining under a protocol."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config of the pretraining")
    add("run", type=Path, help="folder of the finished pretraining")
    add("--protocol", required=True, help="one of configs/generation/*.py")
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of record and gallery")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="as the pretraining's")
    add("--rows", type=int, default=8, help="images of the gallery (default: 8)")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench import ops
    from simmim_bench.training.process import imports

    ops.install()  # before the libraries are imported, which would warn that operators lack
    with imports():
        from simmim_bench.analysis.painting.evaluate import evaluate

    evaluate(args, Console())


if __name__ == "__main__":
    cli.main(run)
