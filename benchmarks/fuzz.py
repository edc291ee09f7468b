"""Fuzz every loader and every command line: nothing may end in a traceback, hang, or be believed.

    python -m benchmarks.fuzz --inputs 20000 --commands 600

Inputs are made by hypothesis from valid files and a seed, so that the same numbers give the same
inputs. Each class runs in a separate process; a crash or a hang costs one input. The table counts
how inputs end:

    accepted    read without an error
    refused     ``BenchError``, or an ``OSError``, which the tools print as one sentence
    unclear     refused, but the sentence cannot be printed or is too long
    traceback   any other error
    hang        more than 10 s
    crash       the process died
    lie         wrong content was accepted as good, or one bad file cost more than its own run
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

from benchmarks.fuzzing import (
    addresses,
    bands,
    commands,
    data,
    folders,
    layouts,
    own_data,
    results,
    suites,
    weights,
)
from benchmarks.fuzzing.worker import Case, Result, run_case

CASES: tuple[Case, ...] = (
    *results.CASES,
    *suites.CASES,
    *weights.CASES,
    *folders.CASES,
    *data.CASES,
    *own_data.CASES,
    *bands.CASES,
    *layouts.CASES,
    *addresses.CASES,
)
KINDS = ("accepted", "refused", "repeated", "unclear", "traceback", "hang", "crash", "lie")
BAD = KINDS[3:]


def fuzz(cases: Sequence[Case], *, inputs: int, seed: int) -> list[Result]:
    """Share ``inputs`` among the classes and run them; prints a line for each."""
    total = sum(case.share for case in cases)
    found = []
    print(_line(("class", "inputs", *KINDS, "slowest")), flush=True)
    for case in cases:
        result = run_case(case, max(1, round(inputs * case.share / total)), seed)
        found.append(result)
        numbers = [result.counts.total(), *(result.counts[kind] for kind in KINDS)]
        print(_line((case.name, *numbers, f"{result.slowest:.2f} s")), flush=True)
        for place, (kind, shown) in result.failures.items():
            print(f"    {kind}: {place}\n        e.g. {shown}", flush=True)
    return found


def _line(cells: Sequence[object]) -> str:
    first, *others = map(str, cells)
    return f"{first:24}" + "".join(f"{cell:>10}" for cell in others)


def main() -> int:
    """Parse, fuzz, print; returns 1 if anything went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=2000, help="files (default: 2000)")
    parser.add_argument("--commands", type=int, default=100, help="command lines (default: 100)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], help="parts of names of classes")
    parser.add_argument("--sentences", action="store_true", help="list what refusals say")
    args = parser.parse_args()
    os.nice(10)
    begin = time.monotonic()
    chosen = [
        case for case in CASES if not args.only or any(part in case.name for part in args.only)
    ]
    found = fuzz(chosen, inputs=args.inputs, seed=args.seed)
    if args.commands:
        found += fuzz(commands.CASES, inputs=args.commands, seed=args.seed)
    counts = sum((result.counts for result in found), Counter[str]())
    print(
        _line(
            (
                "all",
                counts.total(),
                *(counts[kind] for kind in KINDS),
                f"{time.monotonic() - begin:.0f} s",
            )
        )
    )
    if args.sentences:
        for result in found:
            print(f"\n{result.name}")
            for text, count in result.sentences.most_common(40):
                print(f"{count:6} {text}")
    return int(any(counts[kind] for kind in BAD))


if __name__ == "__main__":
    sys.exit(main())
