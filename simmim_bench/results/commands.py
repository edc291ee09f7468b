"""What ``tools/leaderboard.py`` does, one function a command; each returns what is left to say."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from simmim_bench.results.aggregate import check_protocols
from simmim_bench.results.compare import compare as compare_methods
from simmim_bench.results.export import export as export_records
from simmim_bench.results.heap import collector_paused
from simmim_bench.results.leaderboard import build as build_board
from simmim_bench.results.leaderboard import cited_for, render
from simmim_bench.results.page import make_page
from simmim_bench.results.protocols import check_known
from simmim_bench.results.published import read_published
from simmim_bench.results.record import Record
from simmim_bench.results.store import (
    add_record,
    read_record,
    read_records,
    record_path,
    records_under,
)
from simmim_bench.results.terminal import print_page

RESULTS = Path("results")


def build(args: argparse.Namespace) -> list[str]:
    """Collect a work dir and write tables; without one, write the tables of existing records."""
    if args.work_dir is None:
        out = args.out or RESULTS
        print_page(render(out, published=args.published, everything_cited=True, readme=args.readme))
        return [f"leaderboard: {out / 'leaderboard'}"]
    built = build_board(args.work_dir, args.out, published=args.published)
    print_page(built.page)
    return built.summary().splitlines()


def add(args: argparse.Namespace) -> list[str]:
    """Add record files; nothing is added unless all of them are valid."""
    records = [read_record(path) for path in args.files]
    for record, path in zip(records, args.files, strict=True):
        check_known(record, path)
    return [
        f"{add_record(args.records, record, source=path)}: {path} as {record.run_id}"
        for record, path in zip(records, args.files, strict=True)
    ]


@collector_paused()
def check(args: argparse.Namespace) -> list[str]:
    """Read all records and cited figures."""
    with records_under(args.records) as records:
        for record in records:
            check_known(record, record_path(args.records, record))
        cited = read_published(args.published)
        check_protocols([*records, *cited])
    return [f"{len(records)} records and {len(cited)} cited figures are sound"]


@collector_paused()
def show(args: argparse.Namespace) -> list[str]:
    """Print the tables."""
    with records_under(args.records) as records:
        page = make_page(records, cited_for(records, args.published, everything=False))
    print_page(page)
    return []


@collector_paused()
def compare(args: argparse.Namespace) -> list[str]:
    """Print the difference of two methods."""
    with records_under(args.records) as records:
        page = compare_methods(records, args.ours, args.theirs)
    print_page(page)
    return []


@collector_paused()
def export(args: argparse.Namespace) -> list[str]:
    """Write records in another format."""
    count = export_records(read_records(args.records), args.out, form=args.format)
    return [f"{args.out}: {count} records as {args.format}"]


def schema(_args: argparse.Namespace) -> list[str]:
    """JSON Schema of a record."""
    return json.dumps(Record.model_json_schema(), indent=2, sort_keys=True).splitlines()
