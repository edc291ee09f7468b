"""Test the record store with many records, many writers and many kills.

    python benchmarks/records.py scale --count 100000
    python benchmarks/records.py writers --processes 8 --each 1000
    python benchmarks/records.py kills --count 50

The records are synthetic; the repository's own records are not used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from simmim_bench.records.protocols import Protocol, known_protocols
from simmim_bench.records.record import Record, RecordBody
from simmim_bench.records.store import add_record, read_records, record_path

TIME = "2025-01-31T12:00:00+00:00"
SEEDS = 5
TOOL = (sys.executable, "tools/leaderboard.py")


def sha(text: str) -> str:
    """Hash in the place of a file's."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _known() -> list[Protocol]:
    """Protocols of one metric that configs define; ``add`` and ``check`` refuse others."""
    return [protocol for protocol in known_protocols().values() if len(protocol.metrics) == 1]


def synthetic(number: int) -> Record:
    """Record ``number``, counting seeds first, then protocols, then methods."""
    method, rest = divmod(number, SEEDS * len(_known()))
    place, seed = divmod(rest, SEEDS)
    protocol = _known()[place]
    draw = random.Random(number)
    origin = {
        "method": f"method-{method}", "backbone": "swin-toy", "dataset": "toy", "epochs": 5,
        "image_size": 64, "seed": seed, "checkpoint_sha256": sha(f"weights {method} {seed}"),
    }  # fmt: skip
    cost = {
        "device": "CPU x86_64", "device_count": 1, "wall_seconds": 120.0, "peak_memory_mb": 900.5,
        "images_per_second": 77.0, "parameters": 3_900_000, "flops": 9_000_000,
    }  # fmt: skip
    body: dict[str, Any] = {
        "kind": "full",
        "method": f"method-{method}",
        "backbone": "swin-toy",
        "seed": seed,
        "config": {"path": "configs/toy.py", "sha256": sha("config")},
        "protocol": protocol.as_json(),
        "pretraining": origin,
        "metrics": {protocol.primary: draw.gauss(50 + method % 40, 0.3)},
        "cost": cost,
        "pretraining_cost": cost,
        "environment": {"python": "3.11.7", "torch": "2.14.1", "platform": "Linux"},
        "provenance": {"kind": "measured"},
        "curves": {"loss": {"against": "iteration",
                            "points": [[float(step), 3.0 - step / 30] for step in range(20)]}},
        "date": TIME,
    }  # fmt: skip
    return Record.seal(RecordBody.model_validate(body))


def fill(folder: Path, numbers: range) -> None:
    """Write records directly, without the lock and sync of the store."""
    for number in numbers:
        record = synthetic(number)
        path = record_path(folder, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record.as_json(), indent=2) + "\n")


def timed(*words: str) -> None:
    """Run the tool; print its seconds and memory."""
    begin = time.monotonic()
    _, status, used = os.wait4(subprocess.Popen([*TOOL, *words], stdout=subprocess.DEVNULL).pid, 0)
    if status:
        raise SystemExit(f"{words[0]} failed")
    seconds, memory = time.monotonic() - begin, used.ru_maxrss / 1024
    sys.stdout.write(f"{words[0]:<8} {seconds:6.1f} s  {memory:6.0f} MiB\n")
    sys.stdout.flush()


def scale(args: argparse.Namespace, root: Path) -> None:
    """Measure each command with many records, each time in a new process."""
    store = args.store or root
    records, cited = store / "records", store / "published"
    cited.mkdir(parents=True, exist_ok=True)
    if not records.exists():
        fill(records, range(args.count))
    where = ("--records", str(records))
    for _ in range(args.repeat):
        timed("check", *where, "--published", str(cited))
        timed("build", "--out", str(store), "--published", str(cited))
        timed("compare", "method-0", "method-1", *where)
        timed("export", str(store / "records.csv"), *where, "--published", str(cited))


def _add_range(folder: Path, first: int, count: int) -> None:
    for number in range(first, first + count):
        add_record(folder, synthetic(number), source=Path(f"writer {number}"))


def writers(args: argparse.Namespace, root: Path) -> None:
    """Let processes add records at the same time; neighbours share half of their records."""
    folder, step = root / "records", args.each // 2
    jobs = [(folder, process * step, args.each) for process in range(args.processes)]
    begin = time.monotonic()
    with multiprocessing.Pool(args.processes) as pool:
        pool.starmap(_add_range, jobs)
    seconds = time.monotonic() - begin
    found = len(read_records(folder))
    wanted = step * (args.processes - 1) + args.each
    sys.stdout.write(
        f"{args.processes} processes added {args.each} records each in {seconds:.1f} s: "
        f"{found} of {wanted} different records found\n"
    )
    if found != wanted:
        raise SystemExit("records were lost or stored twice")


def _killed(command: list[str], draw: random.Random, longest: float) -> bool:
    """Run a command and kill it at a random time; return whether it was still running."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(draw.uniform(0, longest))
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    return running


def _commands(root: Path, new: list[Path]) -> Iterator[list[str]]:
    while True:
        yield [*TOOL, "add", *map(str, new), "--records", str(root / "records")]
        yield [*TOOL, "build", "--out", str(root)]


def kills(args: argparse.Namespace, root: Path) -> None:
    """Kill ``add`` and ``build`` at random times; the store must be valid after each kill."""
    fill(root / "records", range(500))
    fill(root / "new", range(500, 1000))
    new = sorted((root / "new").glob("*/*.json"))
    commands, draw = _commands(root, new), random.Random(args.seed)
    hit = 0
    for _ in range(args.count):
        hit += _killed(next(commands), draw, args.longest)
        read_records(root / "records")
        for path in (root / "leaderboard").glob("*.*"):
            if path.name == "README.md" and not path.read_text("utf-8").endswith("are lost.\n"):
                raise SystemExit(f"{path} is cut off")
    sys.stdout.write(
        f"{args.count} kills, {hit} while the command was running; the store was valid after each "
        f"and now has {len(read_records(root / 'records'))} of 1000 records\n"
    )


def main() -> None:
    """Run one measurement in a temporary folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("scale", help="many records")
    command.add_argument("--count", type=int, default=100_000)
    command.add_argument(
        "--store", type=Path, help="keep the records in this folder; it is filled if it has none"
    )
    command.add_argument("--repeat", type=int, default=1)
    command.set_defaults(run=scale)
    command = commands.add_parser("writers", help="many writers at the same time")
    command.add_argument("--processes", type=int, default=8)
    command.add_argument("--each", type=int, default=1000)
    command.set_defaults(run=writers)
    command = commands.add_parser("kills", help="kills at random times")
    command.add_argument("--count", type=int, default=50)
    command.add_argument(
        "--longest",
        type=float,
        default=3.0,
        help="longest time before a kill in seconds (default: 3)",
    )
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=kills)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        args.run(args, Path(folder))


if __name__ == "__main__":
    main()
