"""Train: a pretraining, or a downstream task from an exported backbone."""

import argparse

from simmim_bench import cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a training run."""
    cli.add_config_arguments(parser)
    cli.add_run_arguments(parser)
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument(
        "--pretrained",
        metavar="WEIGHTS",
        help="start a downstream config from an exported backbone, or weights of another library: "
        "a file, a URL, timm:NAME, hf:ORG/NAME or torchvision:NAME.WEIGHTS",
    )
    origin.add_argument(
        "--from-scratch", action="store_true", help="start a downstream config from random weights"
    )
    parser.add_argument(
        "--like",
        metavar="WEIGHTS",
        help="with --from-scratch and a config of configs/any: random weights of this backbone",
    )
    origin.add_argument(
        "--init",
        metavar="WEIGHTS",
        help="the same to start a pretraining from",
    )
    parser.add_argument(
        "--init-name",
        metavar="NAME",
        help="what the weights of --init are, if no card says it: 'supervised ImageNet-1k'",
    )
    parser.add_argument(
        "--widen",
        choices=["mean", "repeat"],
        default="mean",
        help="how weights for images of other channels are used (default: mean)",
    )
    length = parser.add_mutually_exclusive_group()
    for unit in ("epochs", "iterations"):
        length.add_argument(
            f"--{unit}",
            type=cli.positive,
            metavar="N",
            help=f"{unit} to train, with the config's schedule stretched to them; with --resume, "
            "train longer at the last learning rate",
        )
    parser.add_argument(
        "--name", help="what tables call the method of this run (default: as in config or card)"
    )
    parser.add_argument(
        "--kind",
        choices=["full", "smoke"],
        default="full",
        help="smoke: a test run, not shortened, never shown beside full runs (default: full)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from the last checkpoint in the work dir, if there is one",
    )
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="if the batch differs from the recipe's: scale the learning rate with it instead of "
        "accumulating gradients",
    )
    speed = parser.add_argument_group("speed and memory")
    speed.add_argument(
        "--precision",
        choices=["float32", "bfloat16", "float16"],
        help="precision of the forward pass instead of the recipe's; stated in the record",
    )
    speed.add_argument(
        "--recompute",
        action="store_true",
        help="activation checkpointing: less memory, a third more time, same result",
    )
    speed.add_argument("--compile", action="store_true", help="torch.compile the backbone")
    speed.add_argument(
        "--fsdp", action="store_true", help="shard the model over the processes instead of DDP"
    )
    tuning = parser.add_argument_group("tuning, as suites do it (docs/suites.md)")
    tuning.add_argument(
        "--held-out",
        type=float,
        metavar="SHARE",
        help="a trial: evaluate a downstream config on this share of its training data, train on "
        "the rest; the evaluation set is not read, and there is no record",
    )
    tuning.add_argument(
        "--held-out-seed",
        type=cli.seed,
        default=0,
        metavar="N",
        help="which images these are (default: 0)",
    )
    tuning.add_argument(
        "--tuned",
        metavar="FILE",
        help="take the values that trials chose (choice.json of a suite); stated in the record",
    )
    parser.add_argument(
        "--log-to",
        nargs="+",
        default=[],
        choices=["tensorboard", "wandb", "mlflow"],
        help="send scalars and reconstructions to these trackers too",
    )
    parser.add_argument(
        "--paint-every",
        type=cli.positive,
        default=1,
        metavar="N",
        help="write reconstructions of a pretraining every N epochs and after the last "
        "(default: 1)",
    )
    parser.add_argument(
        "--probe-every",
        type=cli.positive,
        metavar="N",
        help="every N epochs of a pretraining, log k-NN and linear accuracy and the effective rank "
        "of its features on a few labelled images",
    )
    parser.add_argument(
        "--probe-data",
        metavar="FOLDER",
        help="labelled images for --probe-every: train/CLASS and val/CLASS (default: the folder of "
        "the training images, if it has both)",
    )
    parser.add_argument(
        "--cache-gb",
        type=cli.zero_or_more,
        default=50,
        metavar="N",
        help="GB of features of frozen backbones kept between runs, of which the oldest are "
        "removed; 0: run the backbone in every epoch (default: 50)",
    )
    parser.add_argument(
        "--try",
        dest="try_iterations",
        type=cli.positive,
        nargs="?",
        const=2,
        metavar="N",
        help="run N iterations (default: 2) and a validation on a few images of --data or "
        "--data-root, else of the demo; writes no record",
    )
    parser.set_defaults(origin=None, choice=None)


def run(args: argparse.Namespace) -> None:
    """Train."""
    from simmim_bench.training.train import train

    train(args)
