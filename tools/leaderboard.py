"""Leaderboard: results of suites as records, and records as tables, files and comparisons."""

import argparse
import sys
from pathlib import Path

from simmim_bench import cli

RESULTS = Path(__file__).parents[1] / "results"
FORMS = ("csv", "parquet", "jsonl", "metafile", "results")


def parse() -> argparse.Namespace:
    """Command line of the leaderboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", help="collect a suite's results, write records and tables, print the tables"
    )
    build.add_argument(
        "--work-dir", type=Path, help="work dir of a suite; without it, tables of --out alone"
    )
    build.add_argument(
        "--out", type=Path, help="output folder (default: WORK_DIR/results, or results/)"
    )
    build.add_argument(
        "--readme", type=Path, metavar="FILE", help="put the table of --out into this file, too"
    )
    add = commands.add_parser("add", help="add record files, as tools/test.py writes them")
    add.add_argument("files", type=Path, nargs="+", metavar="FILE", help="record.json")
    check = commands.add_parser("check", help="read every record and cited figure, say what is bad")
    show = commands.add_parser("show", help="print the tables of records; writes nothing")
    compare = commands.add_parser("compare", help="two methods, with the uncertainty of the gap")
    compare.add_argument("ours", metavar="METHOD", help="for example simmim")
    compare.add_argument("theirs", metavar="METHOD", help="for example scratch")
    export = commands.add_parser("export", help="write records for other programs")
    export.add_argument("out", type=Path, metavar="FILE", help="file to write")
    export.add_argument("--format", choices=FORMS, default="csv", help="default: csv")
    commands.add_parser("schema", help="print the JSON Schema of records (docs/record.schema.json)")
    for command in (add, check, show, compare, export):
        command.add_argument(
            "--records", type=Path, default=RESULTS / "records", help="folder of records"
        )
    for command in (build, check, show):
        command.add_argument(
            "--published",
            type=Path,
            default=RESULTS / "published",
            help="folder of cited figures",
        )
    return parser.parse_args()


def run() -> None:
    """Parse first: ``--help`` answers at once."""
    args = parse()
    from simmim_bench.results import commands

    sys.stdout.writelines(f"{line}\n" for line in getattr(commands, args.command)(args))


if __name__ == "__main__":
    cli.main(run, at_once=True)
