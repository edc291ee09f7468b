"""Evaluate a trained checkpoint on the test set of its config."""

import argparse

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of an evaluation."""
    config, run_options = cli.config_arguments(), cli.run_arguments()
    parser = argparse.ArgumentParser(description=__doc__, parents=[config, run_options])
    parser.add_argument("checkpoint", help="epoch_*.pth or iter_*.pth of a training run")
    parser.add_argument(
        "--draw", metavar="DIR", help="write every image with its predictions into this folder"
    )
    parser.add_argument(
        "--tta",
        action="store_true",
        help="average over the scales and flips of the config's tta_pipeline",
    )
    return parser.parse_args()


def run() -> None:
    """Parse before importing the libraries, which takes seconds."""
    args = parse()
    from simmim_bench.training.evaluate import test

    test(args)


if __name__ == "__main__":
    cli.main(run)
