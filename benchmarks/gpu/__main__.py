"""All that can only be seen on a GPU, in nine minutes: correctness, stops, speed.

    python -m benchmarks.gpu FOLDER

Each section is a process with a time limit. What it finds is in FOLDER/gpu.json and, as a table, in
FOLDER/gpu.md, also when a later section is stopped. Sections whose packages are missing are skipped
by name. All data are made here, nothing is downloaded. Without a GPU the sections that apply run
with small models. The exit code is 1 if a value is beyond its bound or a section failed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import sparse
from benchmarks.gpu.section import SECTIONS, Section
from simmim_bench import cli

MARK = "found "
ORDER = (
    "environment", "goldens", "operators", "overflow", "accumulation", "processes", "precision",
    "tries", "recomputation", "throughput", "profile", "loader", "stops",
)  # fmt: skip
"""What matters most comes first, because the time may end."""
BESIDE = 3
"""Sections at the same time on a GPU, where none measures time."""


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for gpu.json and gpu.md")
    parser.add_argument("--sections", nargs="+", choices=ORDER, default=ORDER, metavar="NAME",
                        help=f"only these: {', '.join(ORDER)}")  # fmt: skip
    parser.add_argument("--small", action="store_true", help="small models, as without a GPU")
    parser.add_argument("--minutes", type=float, default=9, help="of all sections (default: 9)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def run() -> int:
    """Run the sections, write the result, print the table."""
    args = parse()
    if args.here:
        return _here(args.sections[0], args.small, args.folder)
    from benchmarks.environment import environment
    from benchmarks.gpu.models import on_gpu
    from simmim_bench.io import atomic_write_text

    end = time.monotonic() + 60 * args.minutes
    small = args.small or not on_gpu()
    args.folder.mkdir(parents=True, exist_ok=True)
    stored: dict[str, Any] = {"environment": environment(), "small": small, "sections": []}
    chosen = [section for name in ORDER for section in SECTIONS if section.name == name]
    chosen = [section for section in chosen if section.name in args.sections]

    def store(results: Iterable[dict[str, Any]]) -> None:
        stored["sections"] = sorted(
            [*stored["sections"], *results], key=lambda result: int(result["number"])
        )
        atomic_write_text(args.folder / "gpu.json", json.dumps(stored, indent=1) + "\n")
        atomic_write_text(args.folder / "gpu.md", markdown(stored))

    with ThreadPoolExecutor(BESIDE if on_gpu() else 1) as pool:
        beside = [section for section in chosen[1:] if not section.alone]
        first, alone = chosen[:1], [section for section in chosen[1:] if section.alone]
        store(_run(section, small, end) for section in first)
        for result in pool.map(lambda section: _run(section, small, end), beside):
            store([result])
        for section in alone:
            store([_run(section, small, end)])
    print(markdown(stored), end="")
    good = all(result["state"] in {"done", "skipped"} for result in stored["sections"])
    return 0 if good else 1


def markdown(stored: Mapping[str, Any]) -> str:
    """Table of the sections, and one of all values."""
    lines = ["| section | state | seconds | beyond their bound | note |",
             "|---|---|---:|---:|---|"]  # fmt: skip
    for result in stored["sections"]:
        beyond = sum(not one["holds"] for one in result["found"])
        lines.append(
            f"| {result['number']} {result['name']} | {result['state']} | "
            f"{result['seconds']:.0f} | {beyond} | {result['note']} |"
        )
    lines += ["", "| section | what | value | bound |", "|---|---|---:|---:|"]
    lines += [
        f"| {result['number']} | {one['what']} | {_shown(one['value'])} {one['unit']} | "
        f"{'' if one['bound'] is None else format(one['bound'], 'g')}"
        f"{'' if one['holds'] else ' **beyond**'} |"
        for result in stored["sections"]
        for one in result["found"]
    ]
    return "\n".join(lines) + "\n"


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return value.replace("|", "/").replace("\n", " ")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _run(section: Section, small: bool, end: float) -> dict[str, Any]:
    """Run a section in a process; its result as plain values."""
    from benchmarks.gpu.models import on_gpu

    result: dict[str, Any] = {
        "number": section.number, "name": section.name, "state": "skipped", "seconds": 0.0,
        "note": "", "found": [],
    }  # fmt: skip
    missing = [name for name in section.needs if importlib.util.find_spec(name) is None]
    left = end - time.monotonic()
    if missing:
        return {**result, "note": f"{', '.join(missing)} not installed"}
    if section.needs_gpu and not on_gpu():
        return {**result, "note": "needs a GPU"}
    if left < 5:
        return {**result, "state": "no time left"}
    print(f"{section.number} {section.name} ...", file=sys.stderr, flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.gpu", folder, "--here", "--sections"]
        command += [section.name, *(["--small"] if small else [])]
        limit = left if not on_gpu() else min(section.seconds, left)
        state, output, errors = _watched(command, limit)
    found = [json.loads(line[len(MARK) :]) for line in output if line.startswith(MARK)]
    if state == "done" and not all(one["holds"] for one in found):
        state = "beyond"
    note = "" if state == "done" else errors.strip().splitlines()[-1:]
    return {**result, "state": state, "seconds": time.monotonic() - begin,
            "note": " ".join(note)[:300].replace("|", "/"), "found": found}  # fmt: skip


def _watched(command: list[str], limit: float) -> tuple[str, list[str], str]:
    """State, lines and errors of a process, which is ended with its children at its limit."""
    process = subprocess.Popen(
        command, cwd=sparse.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=limit)
        state = "done" if process.returncode == 0 else "failed"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        state, errors = "stopped", f"{errors}\nstopped after {limit:.0f} s"
    return state, output.splitlines(), errors


def _here(name: str, small: bool, folder: Path) -> int:
    """Run a section in this process; a line for each value as soon as it is known."""
    [section] = [one for one in SECTIONS if one.name == name]
    module = importlib.import_module(f"benchmarks.gpu.{section.module}")
    try:
        for found in getattr(module, name)(small, folder):
            print(MARK + json.dumps(found.json()), flush=True)
    except Exception as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    cli.main(run)
