"""What ``tools/leaderboard.py`` does, one function a command; each returns what is left to say."""

from __future__ import annotations

import argparse
import json

from simmim_bench.errors import BenchError
from simmim_bench.leaderboard.aggregate import check_protocols
from simmim_bench.leaderboard.build import build as build_board
from simmim_bench.leaderboard.build import cited_for, render
from simmim_bench.leaderboard.compare import compare as compare_methods
from simmim_bench.leaderboard.export import export as export_records
from simmim_bench.leaderboard.export import form_of
from simmim_bench.leaderboard.page import make_page
from simmim_bench.leaderboard.terminal import print_page
from simmim_bench.records.protocols import check_known
from simmim_bench.records.published import bad_sources, read_published
from simmim_bench.records.record import Record
from simmim_bench.records.store import (
    add_records,
    bad_files,
    collector_paused,
    read_record,
    read_records,
    record_path,
    records_under,
)

GIVEN = "give the record.json of a run as tools/test.py wrote it"
SHOWN = 20  # bad records that ``check`` names


def build(args: argparse.Namespace) -> list[str]:
    """Collect a work dir and write tables; without one, write the tables of existing records."""
    if args.work_dir is None:
        out = args.out or args.results
        print_page(render(out, published=args.published, everything_cited=True, readme=args.readme))
        return [f"leaderboard: {out / 'leaderboard'}"]
    built = build_board(args.work_dir, args.out, published=args.published, readme=args.readme)
    print_page(built.page)
    return built.summary().splitlines()


def add(args: argparse.Namespace) -> list[str]:
    """Add record files; nothing is added unless all are valid and agree with what is recorded."""
    made = [(path, read_record(path, remedy=GIVEN)) for path in args.files]
    for path, record in made:
        check_known(record, path)
    return [
        f"{outcome}: {path} as {record.run_id}"
        for outcome, (path, record) in zip(add_records(args.records, made), made, strict=True)
    ]


@collector_paused()
def check(args: argparse.Namespace) -> list[str]:
    """Read all records and cited figures; of several bad files, all are named."""
    try:
        with records_under(args.records) as records:
            for record in records:
                check_known(record, record_path(args.records, record))
            cited = read_published(args.published)
            check_protocols([*records, *cited])
    except BenchError:
        bad = [*bad_files(args.records, check_known), *bad_sources(args.published)]
        if len(bad) < 2:
            raise
        more = [f"and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        where = f"under {args.records} and {args.published}"
        lines = [f"{len(bad)} files {where} are not sound:", *bad[:SHOWN], *more]
        raise BenchError("\n".join(lines)) from None
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
    """Write records and cited figures in another format."""
    form = args.format or form_of(args.out)
    records, cited = read_records(args.records), read_published(args.published)
    export_records([*records, *cited], args.out, form=form)
    return [f"{args.out}: {form} of {len(records)} records and {len(cited)} cited figures"]


def schema(_args: argparse.Namespace) -> list[str]:
    """JSON Schema of a record."""
    return json.dumps(Record.model_json_schema(), indent=2, sort_keys=True).splitlines()
