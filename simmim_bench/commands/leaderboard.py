"""Leaderboard: turn results of suites into records, and records into tables and comparisons.

Each command is a function of ``simmim_bench/leaderboard/commands.py``; only ``ablation``, which
reads a suite file, is in ``simmim_bench/suite/ablation.py``.
"""

import argparse
import gc
import sys
from pathlib import Path

from simmim_bench import cli
from simmim_bench.shipped import CONFIGS, HOME

RESULTS = Path("results")
FORMATS = ("csv", "parquet", "jsonl", "metafile")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands."""
    commands = parser.add_subparsers(dest="command", required=True)
    records = argparse.ArgumentParser(add_help=False)
    records.add_argument(
        "--records", type=Path, default=RESULTS / "records", help="folder of records"
    )
    published = argparse.ArgumentParser(add_help=False)
    published.add_argument(
        "--published", type=_folder, default=_published(), help="folder of cited results"
    )

    command = commands.add_parser(
        "build",
        parents=[published],
        help="collect a suite's results, write records and tables, print the tables",
    )
    command.add_argument(
        "--work-dir", type=Path, help="work dir of a suite (default: use existing records of --out)"
    )
    command.add_argument(
        "--out", type=cli.folder, help="output folder (default: WORK_DIR/results, or the project's)"
    )
    command.add_argument(
        "--readme",
        type=Path,
        metavar="FILE",
        help="also insert the table of measured results into this file, between its two comments",
    )
    command.set_defaults(results=RESULTS)

    own = argparse.ArgumentParser(add_help=False)
    own.add_argument(
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="config that states a protocol of your own; it is kept with the records, not run",
    )
    command = commands.add_parser(
        "add", parents=[records, own], help="merge record files and packs, all or none"
    )
    command.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="pack, or record.json of a test"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="only say what is new, and show own protocols"
    )
    command = commands.add_parser(
        "pack",
        parents=[records, own],
        help="write records, their protocols and configs into one file for others",
    )
    command.add_argument("out", type=cli.output_file, metavar="FILE", help="output file, a zip")
    command.add_argument("--as", dest="name", metavar="NAME", help="who the results are from")
    command.add_argument(
        "--method", action="append", default=[], metavar="NAME", help="only of this method"
    )
    command.add_argument(
        "--protocol", action="append", default=[], metavar="ID", help="only of this protocol"
    )
    commands.add_parser(
        "check", parents=[records, published], help="validate every record and cited result"
    )
    commands.add_parser("show", parents=[records, published], help="print the tables of records")
    command = commands.add_parser(
        "compare", parents=[records], help="compare two methods, with the uncertainty of the gap"
    )
    command.add_argument("ours", metavar="METHOD", help="for example simmim")
    command.add_argument("theirs", metavar="METHOD", help="for example scratch")
    command = commands.add_parser(
        "export",
        parents=[records, published],
        help="write records and cited results for other programs",
        description="Write records and cited results for other programs. A metafile has only full "
        "runs measured here: cited results have neither config nor weights in this project.",
    )
    command.add_argument("out", type=cli.output_file, metavar="FILE", help="output file")
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the suffix of FILE, .csv, .parquet, .jsonl or .yml (metafile)",
    )
    command.add_argument("--measured", action="store_true", help="leave out cited results")
    command = commands.add_parser(
        "report",
        help="write report.html into the folder of each finished run: curves, samples, config, ...",
    )
    command.add_argument(
        "folders", type=Path, nargs="+", metavar="DIR", help="folder of one or more runs"
    )
    command = commands.add_parser(
        "ablation", help="plot the results of a suite with axes as heat maps or bars"
    )
    command.add_argument(
        "suite", type=cli.suite, help="suite file, or name of one of the package: demo-ablation"
    )
    command.add_argument(
        "--work-dir", type=Path, help="work dir of the suite (default: work_dirs/<name>)"
    )
    command.add_argument("--out", type=cli.folder, help="output folder (default: WORK_DIR/results)")
    for name, text in (
        ("protocols", "describe every recipe and protocol of the configs (docs/protocols.md)"),
        ("recipes", "list every config, a line each (docs/recipes.md)"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--out", type=cli.output_file, metavar="FILE", help="output file (default: print)"
        )
        command.set_defaults(configs=CONFIGS)
    commands.add_parser("schema", help="print the JSON Schema of a record")


def _published() -> Path:
    """Cited results of the current folder, else those of the package."""
    mine = RESULTS / "published"
    return mine if mine.is_dir() else HOME / mine


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(
            f"folder {text} does not exist; give a folder of *.yml files with cited results"
        )
    return Path(text)


def run(args: argparse.Namespace) -> None:
    """Run one of the commands."""
    if args.command == "ablation":
        from rich.console import Console

        from simmim_bench.suite.ablation import report_ablation

        report_ablation(
            args.suite, root=Path.cwd(), work_dir=args.work_dir, out=args.out, console=Console()
        )
        return
    from simmim_bench.leaderboard import commands

    gc.set_threshold(100_000)  # records are many small objects; do not revisit them all the time
    sys.stdout.writelines(f"{line}\n" for line in getattr(commands, args.command)(args))
