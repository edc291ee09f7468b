"""Evaluate weights of any origin: choose recipes for their backbone, run them, print one table."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an evaluation of weights."""
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help="exported backbone, file or URL of another library, timm:NAME, hf:ORG/NAME or "
        "torchvision:NAME.WEIGHTS",
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        default=[],
        metavar="TASK",
        help="knn, linear, classification, detection, segmentation, or those of --frozen (default: "
        "of the first five, all that the data allow)",
    )
    parser.add_argument(
        "--frozen",
        action="store_true",
        help="probe frozen features, in minutes: knn, linear-grid, logistic, attentive, "
        "segmentation-linear, segmentation-linear-4, segmentation-retrieval, depth-linear, "
        "detection-frozen",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="NAME",
        help="own data that simmim-bench data imported, imagenet, coco, ade20k, cityscapes, voc, "
        "nyu or demo; TASK=NAME for one task (default: demo)",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=["scratch"],
        metavar="OTHER",
        help="other weights, scratch, or none (default: scratch)",
    )
    parser.add_argument(
        "--seeds", type=cli.positive, default=1, metavar="N", help="number of seeds (default: 1)"
    )
    parser.add_argument(
        "--kind",
        choices=["full", "smoke"],
        default="full",
        help="smoke: test runs, whose records are never shown beside full ones; shortens nothing "
        "(default: full)",
    )
    parser.add_argument(
        "--image-size",
        type=cli.positive,
        metavar="N",
        help="shorter side of the images in pixels (default: that of the recipes)",
    )
    parser.add_argument(
        "--out", type=cli.folder, help="folder for everything (default: work_dirs/evaluate-<name>)"
    )
    parser.add_argument(
        "--widen",
        choices=["mean", "repeat"],
        default="mean",
        help="how weights for images of other channels are used (default: mean)",
    )
    parser.add_argument(
        "--cache-gb",
        type=cli.zero_or_more,
        metavar="GB",
        help="of probes: most GB of features that are kept for later runs; 0: compute them in each "
        "epoch (default: 50)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="write the suite and its configs; run nothing, but fetch and convert the weights, "
        "which say what the backbone is",
    )
    parser.add_argument(
        "--cores",
        type=cli.positive,
        metavar="N",
        help="CPU threads in use at any time (default: all)",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate."""
    from simmim_bench.weights.address import parse_address, require_existing

    require_existing(parse_address(args.weights), "WEIGHTS")
    from simmim_bench import ops

    ops.install()
    from rich.console import Console

    from simmim_bench.evaluation.evaluate import Request, evaluate

    several = ("tasks", "data", "against")
    lists = {name: [part for given in getattr(args, name) for part in given.split(",")]
             for name in several}  # fmt: skip
    request = Request(**{**vars(args), **lists, "root": Path.cwd()})
    return evaluate(request, Console(width=None if sys.stdout.isatty() else 120))
