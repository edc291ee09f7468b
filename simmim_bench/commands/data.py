"""Prepare a dataset: download, unpack or link it, and check it. Or fit a palette to images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simmim_bench import cli
from simmim_bench.data.inspect.found import KINDS
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.data.rasters import MOST_BANDS
from simmim_bench.errors import BenchError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

PACKS = ("shards", "lmdb")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands; ``command`` is the function to call."""
    datasets = parser.add_subparsers(dest="dataset", metavar="DATASET", required=True)
    options = _dataset_arguments()

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        parser = datasets.add_parser(name, help=text, parents=[options])
        parser.set_defaults(command=command)
        return parser

    for name, layout in LAYOUTS.items():
        taken = "needs --source" if "--source" in layout.prepare else "downloaded, or --source"
        add(name, _prepare, "built from installed packages" if name == "demo" else taken)
    unlabelled = [
        *(
            add(name, _pack, f"pack a folder of images as {name}: --source FOLDER --out FOLDER")
            for name in PACKS
        ),
        add("images", _images, "check a folder of images, unlabelled: --source FOLDER --verify"),
    ]
    for each in unlabelled:
        each.add_argument(
            "--channels",
            type=int,
            choices=range(1, MOST_BANDS + 1),
            metavar="N",
            help="bands of each image, of any depth (default: what becomes RGB of 8 bits)",
        )
    for each in unlabelled[: len(PACKS)]:
        each.add_argument(
            "--short-side",
            type=cli.positive,
            metavar="PX",
            help="reduce larger images to this shorter side, as JPEGs of quality 95, which are "
            "read faster; records of runs on them say so (default: files as they are)",
        )
    text = "check all images, label maps and annotations that a config reads"
    check = datasets.add_parser("config", help=text)
    cli.add_config_arguments(check)
    check.set_defaults(command=_config)
    _add_inspect(datasets)
    _add_import(datasets)
    _add_palette(datasets)


def run(args: argparse.Namespace) -> int:
    """Run one of the commands."""
    code: int = args.command(args)
    return code


def _dataset_arguments() -> argparse.ArgumentParser:
    """Parent with the options of every dataset."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--out",
        type=cli.folder,
        metavar="ROOT",
        help="data root (default: SIMMIM_BENCH_DATA, or data)",
    )
    parent.add_argument(
        "--source",
        nargs="+",
        default=[],
        metavar="PATH",
        help="a folder with your copy, or archives by path or URL; default: the official ones",
    )
    parent.add_argument(
        "--link", action="store_true", help="only link the folder; unpack and convert nothing"
    )
    parent.add_argument(
        "--verify",
        action="store_true",
        help="open every image and check annotations instead; exit code 1 if anything is wrong",
    )
    return parent


def _prepare(args: argparse.Namespace) -> int:
    from rich.console import Console

    from simmim_bench.data.prepare.commands import prepare

    return prepare(
        args.dataset,
        out=args.out,
        sources=args.source,
        link=args.link,
        verify=args.verify,
        console=Console(),
    )


def _pack(args: argparse.Namespace) -> int:
    if args.verify:
        return _images(args)
    from rich.console import Console

    from simmim_bench.data.prepare.commands import pack

    return pack(
        args.dataset,
        sources=args.source,
        out=args.out,
        channels=args.channels,
        short_side=args.short_side,
        console=Console(),
    )


def _images(args: argparse.Namespace) -> int:
    if not args.verify:
        raise BenchError("images are only verified; add --verify, or pack them with shards")
    from rich.console import Console

    from simmim_bench.data.prepare.commands import verify_unlabelled

    return verify_unlabelled(
        args.dataset, sources=args.source, channels=args.channels, console=Console()
    )


def _config(args: argparse.Namespace) -> int:
    from rich.console import Console

    from simmim_bench.data.prepare.commands import verify_config
    from simmim_bench.recipe.command_line import config_of

    return verify_config(config_of(args), console=Console())


def _add_inspect(datasets: Subparsers) -> None:
    text = "Look at data of your own before they are imported: layout, sizes, labels, problems."
    parser = datasets.add_parser("inspect", help="look at data of your own", description=text)
    add = parser.add_argument
    add("path", type=Path, metavar="PATH", help="folder, or one image, table, JSON or tar file")
    add("--against", type=Path, metavar="OTHER", help="other data: how many images are in both?")
    add("--layout", metavar="KIND", help=f"what it is, if several fit: {', '.join(KINDS)}")
    add(
        "--out",
        type=cli.folder,
        metavar="DIR",
        help="folder for the contact sheet (default: work_dirs/inspect/<name of PATH>)",
    )
    parser.set_defaults(command=_inspect)


def _inspect(args: argparse.Namespace) -> int:
    from rich.console import Console

    from simmim_bench.data.inspect.commands import inspect
    from simmim_bench.recipe.first_steps import first_steps

    data, sheet = inspect(
        args.path, layout=args.layout, against=args.against, out=args.out, console=Console()
    )
    _say(["", f"look at {sheet}; then:", *(f"  {step}" for step in first_steps(data))])
    return 0


def _add_import(datasets: Subparsers) -> None:
    text = "Bring your own data below the data root, for --data NAME. See docs/own-data.md."
    parser = datasets.add_parser("import", help="bring in your own data", description=text)
    add = parser.add_argument
    add("name", help="what the data are called, here and in tables")
    add("--from", dest="source", type=Path, required=True, metavar="PATH", help="folder or file")
    kinds = ", ".join(KINDS)
    add("--layout", metavar="KIND", help=f"kind of layout (default: recognised): {kinds}")
    add(
        "--split",
        type=cli.share,
        metavar="SHARE",
        help="share of the images for training, chosen by the hash of their names (default: the "
        "data's own parts, else 0.8; all of them without labels)",
    )
    add("--seed", type=cli.seed, default=0, help="of the split (default: 0)")
    add("--copy", action="store_true", help="copy images (default: link them)")
    add(
        "--channels",
        type=cli.positive,
        metavar="N",
        help="bands of each image: 1 keeps grey, 4 a band that is declared to be alpha, 3 drops "
        "it (default: as most images have, grey as 3, alpha if it varies like an image)",
    )
    add("--zero", choices=["class", "ignored"], help="what label 0 of label maps is")
    add(
        "--out",
        type=cli.folder,
        metavar="ROOT",
        help="data root (default: SIMMIM_BENCH_DATA, or data)",
    )
    add("--force", action="store_true", help="replace own data of this name")
    parser.set_defaults(command=_import)


def _import(args: argparse.Namespace) -> int:
    from simmim_bench.data.expected import expected_of
    from simmim_bench.data.importing.bring_in import Wishes, bring_in
    from simmim_bench.data.importing.report import lines_of
    from simmim_bench.data.layouts import data_root
    from simmim_bench.recipe.first_steps import first_steps
    from simmim_bench.records.names import checked_name

    try:
        name = checked_name(args.name)
    except ValueError as error:
        raise BenchError(f"{args.name!r} cannot be the name of data: {error}") from error
    wishes = Wishes(
        layout=args.layout,
        share=args.split,
        seed=args.seed,
        copy=args.copy,
        force=args.force,
        channels=args.channels,
        zero=None if args.zero is None else args.zero == "class",
    )
    report = bring_in(name, args.source, data_root(args.out), wishes)
    steps = first_steps(expected_of(report.dataset))
    _say([*lines_of(report), "next:", *(f"  {step}" for step in steps)])
    return 0


def _say(lines: list[str]) -> None:
    sys.stdout.write("".join(f"{cli.printable(line)}\n" for line in lines))
    sys.stdout.flush()


def _add_palette(datasets: Subparsers) -> None:
    text = "Fit the palette of the target ColourClusters to the colours of images by k-means."
    parser = datasets.add_parser("palette", help="fit a palette of colours", description=text)
    add = parser.add_argument
    add("images", type=Path, help="folder with images in it or below")
    add("--clusters", type=int, default=512, metavar="K", help="colours (default: 512, as iGPT)")
    add("--out", type=cli.output_file, required=True, metavar="FILE", help="JSON to write")
    add("--seed", type=cli.seed, default=0, help="random seed (default: 0)")
    parser.set_defaults(command=_palette)


def _palette(args: argparse.Namespace) -> int:
    from simmim_bench.models.targets.colours import fit_palette

    images = fit_palette(args.images, args.out, clusters=args.clusters, seed=args.seed)
    sys.stdout.write(f"wrote {args.out}: {args.clusters} colours of {images} images\n")
    return 0
