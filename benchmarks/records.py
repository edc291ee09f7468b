"""Time and memory of ``tools/leaderboard.py`` with many records.

    python benchmarks/records.py --count 10000

The records are synthetic; the repository's own are not touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from simmim_bench.records.protocols import Protocol, known_protocols
from simmim_bench.records.record import Record, RecordBody
from simmim_bench.records.store import record_path

TIME = "2025-01-31T12:00:00+00:00"
SEEDS = 5
TOOL = (sys.executable, "tools/leaderboard.py")


def sha(text: str) -> str:
    """Hash of an imaginary file."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _known() -> list[Protocol]:
    """Protocols with one metric that configs define; ``check`` accepts no others."""
    return [protocol for protocol in known_protocols().values() if len(protocol.metrics) == 1]


def synthetic(number: int) -> Record:
    """Record ``number``; the seed changes fastest, then the protocol, then the method."""
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
    """Write records without the lock of the store, which is faster."""
    for number in numbers:
        record = synthetic(number)
        path = record_path(folder, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record.as_json(), indent=2) + "\n")


def timed(*words: str) -> None:
    """Run the tool; print wall time, CPU time and peak memory of its process."""
    begin = time.monotonic()
    process = subprocess.Popen([*TOOL, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{words[0]} failed")
    wall, cpu, memory = time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss
    print(f"{words[0]:<8} {wall:6.1f} s  {cpu:6.1f} s CPU  {memory / 1024:6.0f} MiB", flush=True)


def main() -> None:
    """Make records, and run each command on them in a separate process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="number of records")
    parser.add_argument("--store", type=Path, help="folder to keep; filled if it has no records")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = args.store or Path(folder)
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


if __name__ == "__main__":
    main()
