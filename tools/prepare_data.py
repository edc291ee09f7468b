"""Prepare a dataset under the data root: download, unpack or link it, and check what is there."""

import argparse

from simmim_bench import cli
from simmim_bench.data.layouts import LAYOUTS
from simmim_bench.errors import BenchError

PACKS = ("shards", "lmdb")
UNLABELLED = ("images", *PACKS)


def parse() -> argparse.Namespace:
    """Command line of a preparation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "dataset",
        choices=[*LAYOUTS, *UNLABELLED],
        help="demo is built from installed packages; imagenet and cityscapes need --source; shards "
        "and lmdb pack the images of a folder (--source FOLDER --out FOLDER); these and images, a "
        "folder of any, are verified as pretraining sources (--source FOLDER --verify)",
    )
    parser.add_argument(
        "--out",
        type=cli.folder,
        metavar="ROOT",
        help="data root (default: SIMMIM_BENCH_DATA, or data)",
    )
    parser.add_argument(
        "--source",
        nargs="+",
        default=[],
        metavar="PATH",
        help="a folder with your copy, or archives by path or URL; default: the official ones",
    )
    parser.add_argument(
        "--link", action="store_true", help="only link the folder; unpack and convert nothing"
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="open every image and check annotations instead; exit code 1 if anything is wrong",
    )
    return parser.parse_args()


def run() -> int:
    """Parse first: the libraries take a moment."""
    args = parse()
    from rich.console import Console

    console = Console()
    if args.dataset in UNLABELLED and (args.verify or args.dataset not in PACKS):
        from simmim_bench.data.prepare.commands import verify_unlabelled

        if not args.verify:
            raise BenchError("images are only verified; add --verify, or pack them with shards")
        return verify_unlabelled(args.dataset, sources=args.source, console=console)
    if args.dataset in PACKS:
        from simmim_bench.data.prepare.pack import pack

        return pack(args.dataset, sources=args.source, out=args.out, console=console)
    from simmim_bench.data.prepare.commands import prepare

    return prepare(
        args.dataset,
        out=args.out,
        sources=args.source,
        link=args.link,
        verify=args.verify,
        console=console,
    )


if __name__ == "__main__":
    cli.main(run)
