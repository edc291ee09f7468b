"""Ablation: draw what a suite with axes has found, as heat maps or bars with their spread."""

import argparse
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of an ablation's pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path, help="suite file, see configs/suites/*ablation*")
    parser.add_argument("--work-dir", type=Path, help="suite's folder (default: work_dirs/<name>)")
    parser.add_argument("--out", type=cli.folder, help="output folder (default: WORK_DIR/results)")
    return parser.parse_args()


def run() -> None:
    """Parse first: the libraries take a moment."""
    args = parse()
    from rich.console import Console

    from simmim_bench.suite.ablation import report_ablation

    root = Path(__file__).resolve().parents[1]
    report_ablation(args.suite, root=root, work_dir=args.work_dir, out=args.out, console=Console())


if __name__ == "__main__":
    cli.main(run)
