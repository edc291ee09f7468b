"""Look at trained models: their representations, the pixels they predict, and the masks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simmim_bench import cli

if TYPE_CHECKING:
    from rich.console import Console

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands; ``command`` is the function to call."""
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_representation(commands)
    _add_reconstruct(commands)
    _add_masks(commands)
    _add_inpaint(commands)
    _add_super_resolve(commands)
    _add_page(commands)
    _add_painting(commands)


def run(args: argparse.Namespace) -> None:
    """Run one of the commands."""
    from rich.console import Console

    from simmim_bench import ops

    ops.install()  # before the libraries are imported
    args.command(args, Console())


def _add_representation(commands: Subparsers) -> None:
    parser = _command(commands, _representation)
    add = parser.add_argument
    add("images", type=Path, nargs="+", help="images, or folders, whose subfolders are classes")
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="exported backbone, checkpoint, folder of a run, or config (random weights); repeat",
    )
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of page and charts")
    add("--count", type=int, default=256, help="use at most this many images (default: 256)")
    add("--target-class", metavar="NAME", help="class that Grad-CAM explains (default: predicted)")
    add("--cam-layer", metavar="LAYER", help="block for Grad-CAM, for example 11 or 3.2")
    add(
        "--over-checkpoints",
        type=Path,
        metavar="DIR",
        help="a pretraining or a suite: error on the images and k-NN for every checkpoint",
    )
    add("--knn", metavar="CONFIG", help="config of that k-NN (default: the suite's)")
    add("--seed", type=cli.seed, default=0, help="of random weights, masks and t-SNE (default: 0)")


def _representation(args: argparse.Namespace, console: Console) -> None:
    """Compare what backbones have learned: charts, and one HTML page."""
    from simmim_bench.analysis.representation.commands import analyze

    analyze(args, console)


def _add_reconstruct(commands: Subparsers) -> None:
    parser = _command(commands, _reconstruct, parents=[_pretrained(), _images()])
    add = parser.add_argument
    add(
        "--out",
        type=cli.output_file,
        default="reconstruction.png",
        help="PNG (default: %(default)s)",
    )
    add("--scale", type=cli.positive, default=1, help="enlarge the picture this many times")
    add("--seed", type=cli.seed, default=0, help="seed of the masks (default: 0)")
    add("--data", metavar="NAME", help="own data of the pretraining, as for simmim-bench train")
    add(
        "--bands",
        type=int,
        nargs="+",
        metavar="BAND",
        help="bands shown as red, green and blue, or one as grey, from 1 (default: the first "
        "three)",
    )


def _reconstruct(args: argparse.Namespace, console: Console) -> None:
    """Draw what a pretrained model predicts for masked images, with PSNR and SSIM."""
    from simmim_bench.analysis.reconstruct import reconstruct

    reconstruct(args, console)


def _add_masks(commands: Subparsers) -> None:
    parser = _command(commands, _masks, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    sizes = [2**n for n in range(7)]
    ratios = [n / 10 for n in range(1, 10)]
    known = "names of masking strategies (default: all)"
    add("--strategies", nargs="+", metavar="NAME", default=argparse.SUPPRESS, help=known)
    add(
        "--mask-patch-sizes",
        nargs="+",
        type=int,
        default=sizes,
        metavar="PIXELS",
        help="sides of a mask patch",
    )
    add("--mask-ratios", nargs="+", type=float, default=ratios, help="masked shares")
    add("--image-size", type=int, default=192, metavar="PIXELS", help="side of the image")
    add("--count", type=int, default=50, metavar="N", help="masks per combination")
    add("--seed", type=cli.seed, default=0, help="random seed")
    add("--out", type=cli.folder, default="work_dirs/masks", help="output folder")


def _masks(args: argparse.Namespace, console: Console) -> None:
    """Measure AvgDist of masking strategies and draw examples of their masks."""
    from simmim_bench.analysis.masks import survey

    options = {key: value for key, value in vars(args).items() if key != "command"}
    survey(**options, console=console)


def _add_inpaint(commands: Subparsers) -> None:
    parser = _command(commands, _inpaint, parents=[_pretrained(), _images()])
    add = parser.add_argument
    add("--mask", type=Path, help="PNG of the image's size, white = predict (default: random)")
    add("--ratio", type=float, default=0.6, help="masked share of a random mask (default: 0.6)")
    add("--seed", type=cli.seed, default=0, help="seed of the random masks (default: 0)")
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder for the PNGs")


def _inpaint(args: argparse.Namespace, console: Console) -> None:
    """Predict the masked pixels of images; all other pixels stay as they are."""
    from simmim_bench.analysis.painting.inpaint import run_inpaint

    run_inpaint(args, console)


def _add_super_resolve(commands: Subparsers) -> None:
    parser = _command(commands, _super_resolve, parents=[_pretrained(), _images()])
    add = parser.add_argument
    add("--scale", type=int, default=2, help="2 or 4 (default: 2)")
    add("--seed", type=cli.seed, default=0, help="seed of the masks (default: 0)")
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder for the PNGs")


def _super_resolve(args: argparse.Namespace, console: Console) -> None:
    """Enlarge images 2 or 4 times; a pretrained model predicts the detail."""
    from simmim_bench.analysis.painting.super_resolve import run_super_resolve

    run_super_resolve(args, console)


def _add_page(commands: Subparsers) -> None:
    parser = _command(commands, _page, parents=[_pretrained()])
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    add("--port", type=cli.port, default=7860, help="0: the first free one from 7860, the default")


def _page(args: argparse.Namespace, console: Console) -> None:
    """Serve a web page: draw a mask over an image, and the model inpaints it."""
    from simmim_bench.analysis.painting.page import serve

    serve(args, console)


def _add_painting(commands: Subparsers) -> None:
    parser = _command(commands, _painting)
    add = parser.add_argument
    add("config", help="config of the pretraining")
    add("run", type=Path, help="folder of the finished pretraining")
    add("--protocol", required=True, help="one of configs/generation/*.py")
    add("--data", metavar="NAME", help="your own data (docs/own-data.md) instead of the protocol's")
    add(
        "--dataset-name",
        metavar="NAME",
        help="what tables call the images",
    )
    add("--out", type=cli.folder, required=True, metavar="DIR", help="folder of record and gallery")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="as for the pretraining")
    _add_size(parser)
    add("--rows", type=int, default=8, help="images of the gallery (default: 8)")


def _painting(args: argparse.Namespace, console: Console) -> None:
    """Measure inpainting and super-resolution of a finished pretraining under a protocol."""
    from simmim_bench.registry import imports

    with imports():
        from simmim_bench.analysis.painting.evaluate import evaluate

    evaluate(args, console)


def _command(
    commands: Subparsers, function: Callable[..., None], **options: Any
) -> argparse.ArgumentParser:
    """Add the subcommand that calls ``function``, named and described by it."""
    name, text = function.__name__.strip("_").replace("_", "-"), function.__doc__ or ""
    short = text[0].lower() + text[1:].rstrip(".")
    parser = commands.add_parser(name, help=short, description=text, **options)
    parser.set_defaults(command=function)
    return parser


def _pretrained() -> argparse.ArgumentParser:
    """Parent with a pretrained model."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("config", help="config of a pretraining")
    parent.add_argument("checkpoint", type=Path, help="epoch_N.pth, or folder of a finished run")
    parent.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override config values"
    )
    _add_size(parent)
    return parent


def _add_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image-size", type=cli.positive, metavar="N", help="as for the pretraining"
    )


def _images() -> argparse.ArgumentParser:
    """Parent with images."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    return parent
