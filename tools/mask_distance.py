"""Mask distance: AvgDist of masking strategies, and a contact sheet of their masks."""

import argparse

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a survey of maskings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    sizes = [1, 2, 4, 8, 16, 32, 64]
    names = ["random", "blockwise", "square", "grid", "stripes", "hierarchical"]
    names += ["edge", "semantic"]
    add("--strategies", nargs="+", default=names)
    add(
        "--mask-patch-sizes",
        nargs="+",
        type=int,
        default=sizes,
        metavar="PIXELS",
    )
    add("--mask-ratios", nargs="+", type=float, default=[n / 10 for n in range(1, 10)])
    add("--image-size", type=int, default=192, metavar="PIXELS", help="side of the image")
    add("--count", type=int, default=50, metavar="N", help="masks per combination")
    add("--seed", type=cli.seed, default=0, help="random seed")
    add("--out", type=cli.folder, default="work_dirs/masks", help="output folder")
    return parser.parse_args()


def run() -> None:
    """Parse first: the libraries take seconds."""
    args = parse()
    from rich.console import Console

    from simmim_bench.analysis.masks import survey

    survey(**vars(args), console=Console())


if __name__ == "__main__":
    cli.main(run)
