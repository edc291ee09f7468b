"""Our speed beside that of the stock implementations: ``make bench``.

Every work runs in one process, by us and by each peer in turn, on the same inputs; outputs were
compared before the clock starts. A family runs in a process of its own, so that none changes the
threads or the memory of another.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from benchmarks.speed import table
from benchmarks.speed.work import measure
from simmim_bench import cli
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_text, read_text

FAMILIES = (
    "pipelines",
    "dense_pipelines",
    "coco",
    "steps",
    "downstream_steps",
    "whole_tests",
    "processes",
    "around",
    "start",
)
"""Modules of this folder, each with a function ``works``."""


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--rounds", type=cli.positive, default=7, help="at most (default: 7)")
    parser.add_argument("--small", action="store_true", help="small inputs, to try it out")
    parser.add_argument("--json", type=cli.output_file, metavar="FILE", help="store the result")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with an earlier one")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into a page")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    wrong = [name for name in args.families if name not in FAMILIES]
    if wrong:
        parser.error(f"{wrong[0]!r} is no family; these are: {', '.join(FAMILIES)}")
    return args


def run() -> None:
    """Measure, print the table, store it."""
    args = parse()
    families = args.families or list(FAMILIES)
    if args.here:
        [family] = families
        for work in importlib.import_module(f"benchmarks.speed.{family}").works(args.small):
            print("measured", json.dumps(measure(work, args.rounds).json()), flush=True)
        return
    before = _read(args.against) if args.against else None
    if args.page:
        table.page(read_text(args.page), [], environment())  # raises before anything is measured
    measured: list[dict[str, Any]] = []
    measured_on = environment()
    for family in families:
        print(f"{family} ...", file=sys.stderr, flush=True)
        found = _in_a_process(family, args)
        print(table.markdown(found), file=sys.stderr, flush=True)
        measured += found
        if args.json:  # after each, so that a later failure loses nothing
            stored = {"environment": measured_on, "works": measured}
            atomic_write_text(args.json, json.dumps(stored, indent=1) + "\n")
    print(table.markdown(measured), end="")
    if before:
        print("\n" + table.compared(measured, before["works"]), end="")
    if args.page:
        text = table.page(read_text(args.page), measured, measured_on)
        atomic_write_text(args.page, text)


def _in_a_process(family: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.speed", family, "--here"]
    command += ["--rounds", str(args.rounds), *(["--small"] if args.small else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"family {family} ended with code {done.returncode}; see the output above")
    lines = [line for line in done.stdout.splitlines() if line.startswith("measured ")]
    return [json.loads(line.removeprefix("measured ")) for line in lines]


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} is no stored benchmark: {error}") from error


if __name__ == "__main__":
    cli.main(run)
