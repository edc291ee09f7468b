"""Convert a checkpoint between this project and the libraries that others use."""

import argparse
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a conversion."""
    parser.add_argument(
        "source",
        metavar="SRC",
        help="a .pth or .safetensors file, a URL, timm:NAME, hf:ORG/NAME[@REVISION] or "
        "torchvision:NAME.WEIGHTS (docs/own-weights.md)",
    )
    kinds = "folder (simmim_bench, transformers) or file to write"
    parser.add_argument("destination", metavar="DST", type=Path, help=kinds)
    to = ["simmim_bench", "simmim", "facebookresearch", "mmpretrain"]
    to += ["timm", "torchvision", "mmdet", "transformers", "simmim_bench-pretraining"]
    parser.add_argument("--to", choices=to, default=to[0], help="library that will read DST")
    parser.add_argument("--window", type=int, help="resize to this Swin window")
    parser.add_argument("--image-size", type=int, help="resize to this image size")
    methods = ["geometric", "bicubic"]
    parser.add_argument("--resize", choices=methods, default=methods[0], help="for bias tables")
    parser.add_argument(
        "--channels", type=cli.positive, metavar="N", help="backbone for images of N channels"
    )
    parser.add_argument(
        "--widen",
        choices=["mean", "repeat"],
        default="mean",
        help="how the first layer gets N channels (default: mean)",
    )
    parser.add_argument("--method", metavar="NAME", help="pretraining method, for backbone.json")
    parser.add_argument("--sha256", metavar="HASH", help="SHA-256 that SRC must have")
    parser.add_argument("--trust-pickle", action="store_true", help="allow SRC to run code")


def run(args: argparse.Namespace) -> None:
    """Convert."""
    from simmim_bench.weights.address import parse_address, require_existing

    require_existing(parse_address(args.source), "SRC")
    from simmim_bench import ops

    ops.install()
    from simmim_bench.weights.convert.write import convert_file

    convert_file(**vars(args))
