"""Evaluate a trained checkpoint on the test set of its config."""

import argparse

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an evaluation."""
    cli.add_config_arguments(parser)
    cli.add_run_arguments(parser)
    parser.add_argument("checkpoint", help="epoch_*.pth or iter_*.pth of a training run")
    parser.add_argument(
        "--draw", metavar="DIR", help="write every image with its predictions into this folder"
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="average over the scales and flips of the config's tta_pipeline",
    )


def run(args: argparse.Namespace) -> None:
    """Test."""
    from simmim_bench.training.evaluate import test

    test(args)
