"""Run every first try: ``python -m benchmarks.first_tries --out FOLDER [--only TEXT]``."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.first_tries import data, weights
from benchmarks.first_tries.tasks import TASKS, Task

ROOT = Path(__file__).parents[2]
LONGEST = 900  # seconds of one command


def main() -> int:
    """Make the data and weights, run the tasks, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for everything")
    parser.add_argument("--only", default="", help="tasks whose name holds this text")
    args = parser.parse_args()
    out = args.out.absolute()
    _make(out)
    chosen = [task for task in TASKS if args.only in task.name]
    rows = []
    with _served(out / "weights") as address:
        places = {
            "brought": out / "brought along",
            "weights": out / "weights",
            "work": out / "work dirs",
            "address": address,
        }
        for task in chosen:
            rows.append(_run(task, {key: str(value) for key, value in places.items()}, out))
            sys.stdout.write(f"{_line(rows[-1])}\n")
            sys.stdout.flush()
    (out / "tries.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False), "utf-8")
    failed = sum(row["result"] != "ok" for row in rows)
    sys.stdout.write(f"{len(rows) - failed} of {len(rows)} at the first try; {out}/tries.json\n")
    return 1 if failed else 0


def _make(out: Path) -> None:
    """Data and weights, once."""
    brought = out / "brought along"
    for name, make in data.MAKERS.items():
        if not (brought / name).exists():
            make(data.Demo(out / "demo"), brought / name)
    for name, make_weights in weights.MAKERS.items():
        path = out / "weights" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not list(path.parent.glob(f"{name}*")):
            make_weights(path)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a web server of ``folder``."""
    handler = partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Print nothing."""


def _run(task: Task, places: dict[str, str], out: Path) -> dict[str, object]:
    began, result = time.monotonic(), "ok"
    commands = [command.format(**places) for command in task.commands]
    environment = {
        **os.environ,
        "SIMMIM_BENCH_DATA": str(out / "data root"),
        "XDG_CACHE_HOME": str(out / "cache"),
        "OMP_NUM_THREADS": "2",
    }
    for number, command in enumerate(commands):
        words = [sys.executable, "-P", "-m", "simmim_bench", *shlex.split(command)[1:]]
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        said = done.stdout + done.stderr
        log = out / "logs" / f"{task.name.replace('/', '_')}-{number}.txt"
        log.parent.mkdir(exist_ok=True)
        log.write_text(f"{command}\n{said}", "utf-8")
        last = number == len(commands) - 1
        wanted = task.code if last else 0
        if done.returncode != wanted:
            reason = (said.strip().splitlines() or ["nothing was printed"])[-1]
            result = f"command {number + 1} exits with {done.returncode}: {reason}"
            break
        if last and task.says not in said:
            result = f"{task.says!r} is not in the output"
    seconds = round(time.monotonic() - began)
    return {"task": task.name, "commands": commands, "seconds": seconds, "result": result}


def _line(row: dict[str, object]) -> str:
    commands = "<br>".join(f"`{command}`" for command in list(row["commands"]))  # type: ignore[call-overload]
    return f"| {row['task']} | {commands} | {row['seconds']} s | {row['result']} |"


if __name__ == "__main__":
    sys.exit(main())
