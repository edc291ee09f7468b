"""Kill a suite at random times, let it finish, and compare its records with an undisturbed run.

    python benchmarks/chaos.py configs/suites/smoke.yaml --kills 30

Each kill is SIGKILL to a tool, to the orchestrator or to everything at once, after a random time.
A suite that ends before the last kill is started again in a new folder. The report counts kills,
repeated starts of stages, and seconds lost per kill.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

TARGETS = ("tool", "orchestrator", "everything")
EARLY = 0.25  # share of kills that may come before the suite has started a stage
# Fields in which two runs of the same suite may differ; all others must be equal to the bit.
VOLATILE = ("cost", "pretraining_cost", "environment", "date", "run_id", "sha256")


@dataclass
class Outcome:
    """Kills, total seconds and folders of the disturbed runs of a suite."""

    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    rounds: list[Path] = field(default_factory=list)


def command(suite: Path, folder: Path, more: list[str]) -> list[str]:
    """Command line of the suite with its work dir in ``folder``."""
    return [sys.executable, "tools/run_suite.py", str(suite), "--work-dir", str(folder), *more]


def run_whole(arguments: list[str], root: Path) -> float:
    """Run a suite to its end; return the seconds."""
    begin = time.monotonic()
    subprocess.run(arguments, cwd=root, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def run_disturbed(
    suite: Path,
    folder: Path,
    *,
    root: Path,
    kills: int,
    pause: tuple[float, float],
    seed: int,
    more: list[str],
) -> Outcome:
    """Kill the suite ``kills`` times, over several rounds if needed, and let each round finish.

    Args:
        suite: Suite file.
        folder: Parent of the rounds' folders.
        root: Root of the project.
        kills: Number of kills.
        pause: Shortest and longest time before a kill in seconds, counted from the start of a tool;
            for one kill in four from the start of the suite.
        seed: Random seed of times and targets.
        more: Further options of the suite.
    """
    draw = random.Random(seed)
    outcome = Outcome()
    while sum(outcome.kills.values()) < kills:
        place = folder / f"round{len(outcome.rounds) + 1}"
        outcome.rounds.append(place)
        arguments = command(suite, place, more)
        begin = time.monotonic()
        while sum(outcome.kills.values()) < kills:
            process = subprocess.Popen(
                arguments, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if draw.random() > EARLY:
                _wait_for_tool(process)
            try:
                if process.wait(draw.uniform(*pause)) == 0:
                    break
            except subprocess.TimeoutExpired:
                target = draw.choice(TARGETS)
                outcome.kills[target] += _kill(process, target, draw)
            process.wait()
        run_whole(arguments, root)
        outcome.seconds += time.monotonic() - begin
    return outcome


def _wait_for_tool(process: subprocess.Popen[bytes]) -> None:
    """Wait until a tool of the suite runs or the suite has ended."""
    while process.poll() is None:
        try:
            if _tools(psutil.Process(process.pid).children(recursive=True)):
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.1)


def _tools(family: list[psutil.Process]) -> list[psutil.Process]:
    marks = {
        "simmim_bench",
        "tools/fake_tool.py",
    }
    return [one for one in family if marks & set(_command_line(one))]


def _kill(process: subprocess.Popen[bytes], target: str, draw: random.Random) -> int:
    """Kill the target; return 1, or 0 if the suite had ended already."""
    if target == "tool":
        _wait_for_tool(process)
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return 0
    if target == "tool":
        tools = _tools(family)
        if not tools:
            return 0
        _end(draw.choice(tools))
        return 1
    for one in family if target == "everything" else []:
        _end(one)
    process.kill()
    return 1


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _end(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def starts(folder: Path) -> Counter[str]:
    """Number of starts of each stage, counted in the logs."""
    return Counter(
        {
            path.parent.relative_to(folder).as_posix(): sum(
                line.startswith("$ ") for line in path.read_text("utf-8", "replace").splitlines()
            )
            for path in folder.rglob("log.txt")
        }
    )


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Records of a suite without the volatile fields, in a fixed order."""
    found = []
    for path in sorted((folder / "results").glob("*records/**/*.json")):
        record = json.loads(path.read_text("utf-8"))
        found.append({key: value for key, value in record.items() if key not in VOLATILE})
    return sorted(found, key=lambda record: json.dumps(record, sort_keys=True))


def report(whole: Path, seconds: float, outcome: Outcome) -> tuple[str, bool]:
    """Return a Markdown table and whether all records are equal."""
    expected = records_of(whole)
    equal = bool(expected) and all(records_of(place) == expected for place in outcome.rounds)
    kills = sum(outcome.kills.values())
    again = sum(count - 1 for place in outcome.rounds for count in starts(place).values())
    lost = (outcome.seconds - len(outcome.rounds) * seconds) / max(kills, 1)
    targets = ", ".join(f"{count} of {target}" for target, count in sorted(outcome.kills.items()))
    rows = {
        "kills": f"{kills} ({targets})",
        "rounds of the suite": len(outcome.rounds),
        "repeated starts of stages": again,
        "undisturbed run": f"{seconds:.0f} s",
        "lost per kill": f"{lost:.1f} s",
        "records": len(expected),
        "equal to those of the undisturbed run": "all, to the bit" if equal else "NO",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---:|", *lines]), equal


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", type=Path, help="suite file")
    parser.add_argument("--kills", type=int, default=30, help="number of kills (default: 30)")
    parser.add_argument(
        "--pause",
        type=float,
        nargs=2,
        default=(0.5, 20.0),
        metavar="SECONDS",
        help="shortest and longest time before a kill (default: 0.5 20)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/chaos"), help="output folder")
    args = parser.parse_args()
    root = Path.cwd()
    whole = args.out / "whole"
    seconds = run_whole(command(args.suite, whole, []), root)
    outcome = run_disturbed(
        args.suite,
        args.out,
        root=root,
        kills=args.kills,
        pause=tuple(args.pause),
        seed=args.seed,
        more=[],
    )
    table, equal = report(whole, seconds, outcome)
    print(table)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
