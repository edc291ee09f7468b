"""Fit the palette of the target ColourClusters to the colours of your images by k-means."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of a fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder with images in it or below")
    parser.add_argument(
        "--clusters", type=int, default=512, metavar="K", help="colours (default: 512, as iGPT)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON to write")
    parser.add_argument("--seed", type=cli.seed, default=0, help="random seed (default: 0)")
    return parser.parse_args()


def run() -> None:
    """Parse first: the libraries take a moment."""
    args = parse()
    from simmim_bench.models.targets.colours import fit_palette

    images = fit_palette(args.images, args.out, clusters=args.clusters, seed=args.seed)
    sys.stdout.write(f"wrote {args.out}: {args.clusters} colours of {images} images\n")


if __name__ == "__main__":
    cli.main(run)
