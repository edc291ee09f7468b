"""Convert a checkpoint between this project and the libraries that others use."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a conversion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", metavar="SRC", help="path or URL of a .pth or .safetensors file")
    parser.add_argument(
        "destination", metavar="DST", type=Path, help="folder (simmim_bench) or file to write"
    )
    libraries = ["simmim_bench", "simmim", "facebookresearch", "mmpretrain"]
    libraries += ["timm", "torchvision", "mmdet"]
    parser.add_argument("--to", choices=libraries, default="simmim_bench", help="who will read DST")
    parser.add_argument("--window", type=int, help="resize to this Swin window")
    parser.add_argument("--image-size", type=int, help="resize to this image size")
    parser.add_argument("--resize", choices=["geometric", "bicubic"], default="geometric")
    parser.add_argument("--method", metavar="NAME", help="what pretrained it, for backbone.json")
    parser.add_argument("--sha256", metavar="HASH", help="hash that SRC must have")
    parser.add_argument("--trust-pickle", action="store_true", help="run code that SRC may hold")
    return parser.parse_args()


def run() -> None:
    """Parse first: importing the libraries takes seconds."""
    args = parse()
    from simmim_bench import ops

    ops.install()
    from simmim_bench.weights.convert.write import convert_file

    convert_file(**vars(args))


if __name__ == "__main__":
    cli.main(run)
