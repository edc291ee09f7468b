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
    _build_arguments(build)
    add = commands.add_parser("add", help="add record files, all or none of them")
    add.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="record.json of tools/test.py"
    )
    check = commands.add_parser("check", help="read every record and cited figure, say what is bad")
    show = commands.add_parser("show", help="print the tables of records; writes nothing")
    compare = commands.add_parser("compare", help="two methods, with the uncertainty of the gap")
    compare.add_argument("ours", metavar="METHOD", help="for example simmim")
    compare.add_argument("theirs", metavar="METHOD", help="for example scratch")
    export = commands.add_parser(
        "export",
        help="write records and cited figures for other programs",
        description="Write records and cited figures for other programs. A metafile has full runs "
        "measured here alone: what is cited has neither config nor weights in this project.",
    )
    _export_arguments(export)
    commands.add_parser("schema", help="print the JSON Schema of records (docs/record.schema.json)")
    for command in (add, check, show, compare, export):
        command.add_argument(
            "--records", type=Path, default=RESULTS / "records", help="folder of records"
        )
    for command in (build, check, show, export):
        command.add_argument(
            "--published",
            type=_folder,
            default=RESULTS / "published",
            help="folder of cited figures",
        )
    return parser.parse_args()


def _build_arguments(build: argparse.ArgumentParser) -> None:
    build.add_argument(
        "--work-dir", type=Path, help="work dir of a suite; without it, tables of --out alone"
    )
    build.add_argument(
        "--out", type=cli.folder, help="output folder (default: WORK_DIR/results, or the project's)"
    )
    build.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="put the table of measured results into this file, too, between its two comments",
    )
    build.set_defaults(results=RESULTS)


def _export_arguments(export: argparse.ArgumentParser) -> None:
    export.add_argument("out", type=Path, metavar="FILE", help="file to write")
    export.add_argument(
        "--format",
        choices=FORMS,
        help="default: by FILE's suffix, .csv, .parquet, .jsonl, .yml (metafile), .json (results)",
    )


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(
            f"folder {text} does not exist; give one of *.yml, with cited figures"
        )
    return Path(text)


def run() -> None:
    """Parse first: ``--help`` answers at once."""
    args = parse()
    from simmim_bench.leaderboard import commands

    sys.stdout.writelines(f"{line}\n" for line in getattr(commands, args.command)(args))


if __name__ == "__main__":
    cli.main(run, at_once=True)
