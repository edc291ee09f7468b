"""Leaderboard: collect the results of a suite into records, and show them as tables."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli


def parse() -> argparse.Namespace:
    """Command line of the leaderboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", help="collect manifests, write records and Markdown, print the tables"
    )
    build.add_argument("--work-dir", type=Path, required=True, help="work dir of a suite")
    build.add_argument("--out", type=Path, help="output folder (default: WORK_DIR/results)")
    show = commands.add_parser("show", help="print the tables of records; writes nothing")
    show.add_argument("--records", type=Path, required=True, help="folder of records")
    return parser.parse_args()


def run() -> None:
    """Parse first: ``--help`` answers at once."""
    args = parse()
    from simmim_bench.results.terminal import print_page

    if args.command == "show":
        from simmim_bench.results.page import make_page
        from simmim_bench.results.store import read_records

        print_page(make_page(read_records(args.records)))
        return
    from simmim_bench.results.leaderboard import build

    built = build(args.work_dir, args.out)
    print_page(built.page)
    sys.stdout.write(f"{built.summary()}\n")


if __name__ == "__main__":
    cli.main(run)
