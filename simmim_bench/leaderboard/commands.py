"""Commands of ``simmim-bench leaderboard``, one function each; they return lines to print."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text
from simmim_bench.leaderboard.aggregate import check_protocols
from simmim_bench.leaderboard.build import build as build_board
from simmim_bench.leaderboard.build import cited_for, render
from simmim_bench.leaderboard.compare import compare as compare_methods
from simmim_bench.leaderboard.describe import describe_configs, list_recipes
from simmim_bench.leaderboard.export import export as export_records
from simmim_bench.leaderboard.export import form_of
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.sharing import add, describe_origin, pack
from simmim_bench.leaderboard.terminal import print_page
from simmim_bench.leaderboard.web.run_report import write_reports
from simmim_bench.records.own_protocols import check_protocol, read_own
from simmim_bench.records.pack import read_kept
from simmim_bench.records.published import bad_sources, read_published
from simmim_bench.records.record import Record
from simmim_bench.records.store import bad_files, read_records, record_path

__all__ = [
    "add", "build", "check", "compare", "export", "pack", "protocols", "recipes", "report",
    "schema", "show",
]  # fmt: skip
MAX_SHOWN = 20
"""``check`` shows at most this many bad files."""


def build(args: argparse.Namespace) -> list[str]:
    """Collect a work dir and write tables; without one, write the tables of existing records."""
    if args.work_dir is None:
        out = args.out or args.results
        page = render(out, published=args.published, everything_cited=True, readme=args.readme)
        print_page(page)
        return [f"leaderboard: {out / 'leaderboard'}", *page.remarks()]
    built = build_board(args.work_dir, args.out, published=args.published, readme=args.readme)
    print_page(built.page)
    return built.summary().splitlines()


def check(args: argparse.Namespace) -> list[str]:
    """Validate records, own protocols, packs and cited results; list every bad file."""
    own = read_own(args.records)
    packs = read_kept(args.records)
    try:
        records, cited = read_records(args.records), read_published(args.published)
        for record in records:
            check_protocol(record, record_path(args.records, record), own)
        check_protocols([*records, *cited])
    except BenchError:
        check_one = partial(check_protocol, own=own)
        bad = [*bad_files(args.records, check_one), *bad_sources(args.published)]
        if len(bad) < 2:
            raise
        more = [f"and {len(bad) - MAX_SHOWN} more"] if len(bad) > MAX_SHOWN else []
        where = f"under {args.records} and {args.published}"
        lines = [f"{len(bad)} files {where} are not valid:", *bad[:MAX_SHOWN], *more]
        raise BenchError("\n".join(lines)) from None
    return [
        f"{len(records)} records and {len(cited)} cited results are valid",
        *(f"own protocol: {each.protocol.id}@{each.protocol.version}" for each in own.values()),
        *(
            f"added from: {text}"
            for text in dict.fromkeys(describe_origin(p.origin) for p in packs)
        ),
    ]


def show(args: argparse.Namespace) -> list[str]:
    """Print the tables."""
    records = read_records(args.records)
    print_page(make_page(records, cited_for(records, args.published, everything=False)))
    return []


def compare(args: argparse.Namespace) -> list[str]:
    """Print the differences between two methods."""
    print_page(compare_methods(read_records(args.records), args.ours, args.theirs))
    return []


def export(args: argparse.Namespace) -> list[str]:
    """Write records and cited results in another format."""
    form = args.format or form_of(args.out)
    records = read_records(args.records)
    cited = [] if args.measured else read_published(args.published)
    export_records([*records, *cited], args.out, form=form)
    return [f"{args.out}: {len(records)} records and {len(cited)} cited results as {form}"]


def report(args: argparse.Namespace) -> list[str]:
    """Write a page about each finished run; print the paths of the pages."""
    lost: list[str] = []
    pages = write_reports(args.folders, lost)
    return [*map(str, pages), *(f"warning: {text}" for text in lost)]


def protocols(args: argparse.Namespace) -> list[str]:
    """Describe all recipes and protocols of the configs; print the text or write it to a file."""
    return _print_or_write(describe_configs(args.configs), args.out)


def recipes(args: argparse.Namespace) -> list[str]:
    """List all configs, a line each; print the text or write it to a file."""
    return _print_or_write(list_recipes(args.configs), args.out)


def _print_or_write(text: str, out: Path | None) -> list[str]:
    if out is None:
        return text.splitlines()
    atomic_write_text(out, text)
    return [str(out)]


def schema(_args: argparse.Namespace) -> list[str]:
    """Print the JSON Schema of a record."""
    return json.dumps(Record.model_json_schema(), indent=2, sort_keys=True).splitlines()
