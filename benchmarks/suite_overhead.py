"""Measure the seconds that a suite adds to running the same commands by hand, one after another.

    python benchmarks/suite_overhead.py configs/suites/smoke.yaml --only classification

Both ways run the commands of the plan, one at a time, in separate folders. The suite adds the
start of Snakemake, a process that watches each stage, and hashing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from simmim_bench.suite.build import build_plan
from simmim_bench.suite.load import load_suite
from simmim_bench.suite.plan import Plan


def by_hand(plan: Plan, chosen: set[str]) -> float:
    """Run the commands of the plan in order; return the seconds."""
    begin = time.monotonic()
    for stage in plan.stages:
        if stage.id in chosen:
            environment = {**os.environ, "OMP_NUM_THREADS": str(stage.threads)}
            subprocess.run(
                stage.command, cwd=plan.root, env=environment, check=True, stdout=subprocess.DEVNULL
            )
    return time.monotonic() - begin


def by_suite(suite: Path, plan: Plan, only: list[str]) -> float:
    """Run the same commands by the suite, one stage at a time; return the seconds."""
    arguments = [sys.executable, "tools/run_suite.py", str(suite), "--work-dir", str(plan.folder)]
    arguments += ["--jobs", "1", *(["--only", *only] if only else [])]
    begin = time.monotonic()
    subprocess.run(arguments, cwd=plan.root, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def main() -> None:
    """Measure each way in turn and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", type=Path, help="suite file")
    parser.add_argument(
        "--only", nargs="+", default=[], help="stages to run, as for tools/run_suite.py"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each way (default: 3)")
    parser.add_argument(
        "--out", type=Path, default=Path("work_dirs/overhead"), help="output folder"
    )
    args = parser.parse_args()
    root = Path.cwd()
    suite = load_suite(args.suite)
    seconds: dict[str, list[float]] = {"by hand": [], "suite": [], "suite, all done": []}
    for _ in range(args.repeat):
        shutil.rmtree(args.out, ignore_errors=True)
        through = build_plan(suite, root=root, folder=args.out / "suite")
        seconds["suite"].append(by_suite(args.suite, through, args.only))
        seconds["suite, all done"].append(by_suite(args.suite, through, args.only))
        ran = {stage.id for stage in through.stages if through.result_of(stage).is_file()}
        hand = build_plan(suite, root=root, folder=args.out / "hand")
        seconds["by hand"].append(by_hand(hand, ran))
    count = len(ran)
    print(f"{count} stages, median of {args.repeat}\n\n| way | seconds |\n|---|---:|")
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    for way, value in medians.items():
        print(f"| {way} | {value:.1f} |")
    added = medians["suite"] - medians["by hand"]
    print(f"| added by the suite | {added:.1f} |\n| added per stage | {added / count:.2f} |")


if __name__ == "__main__":
    main()
