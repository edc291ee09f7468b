"""Choose the best trial: ``python -m simmim_bench.suite.choose FILE JSON``.

A stage of a suite; JSON has ``search``, ``seed`` and ``trials``, from the manifest of each trial to
its values. What the trials measured and what was chosen is written to FILE.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simmim_bench import cli
from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.schema import validate
from simmim_bench.records.tuning import REMEDY, Choice, Trial, best_of
from simmim_bench.suite.trials import Values

SECONDS_PER_HOUR = 3600


def main() -> None:
    """Choose, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=cli.output_file)
    parser.add_argument("asked", type=json.loads, metavar="JSON")
    args = parser.parse_args()
    asked = args.asked
    trials = {Path(path): values for path, values in asked["trials"].items()}
    choice = choose(asked["search"], trials, seed=asked["seed"])
    atomic_write_json(args.file, choice.as_json())
    for text in choice.at_the_end():
        sys.stderr.write(f"warning: {text}; extend its list in the suite\n")


def choose(search: Mapping[str, Any], trials: Mapping[Path, Values], *, seed: int) -> Choice:
    """Choose the values of the best score on the held-out images, the first of ties.

    Args:
        search: Values to choose from, by config key.
        trials: Manifest of each trial to its values.
        seed: Of the search.

    Raises:
        BenchError: If a manifest is missing or of no trial, trials were scored on different images
            or metrics, or all of them diverged.
    """
    found = {path: Manifest.read(path) for path in trials}
    for path, run in found.items():
        if run.stage != "trial" or run.held_out is None or run.protocol is None or run.cost is None:
            raise BenchError(
                f"{path} is of stage {run.stage}, expected a trial; run its suite again"
            )
    first, *others = found.values()
    for other in others:
        if (other.held_out, other.protocol) != (first.held_out, first.protocol):
            raise BenchError(
                f"trials were scored on different images or metrics: {_where(first)} and "
                f"{_where(other)}; run the suite again"
            )
    if all(run.status == "failed" for run in found.values()):
        reason = first.failure.reason if first.failure else "unknown"
        raise BenchError(
            f"none of {len(found)} trials ended with a score, the first because {reason}; search "
            f"smaller learning rates"
        )
    runs = [_trial(run, trials[path]) for path, run in found.items()]
    made = [validate(Trial, run, source="a trial", remedy=REMEDY) for run in runs]
    hours = sum(run.cost.device_count * run.cost.wall_seconds for run in found.values() if run.cost)
    content = {
        "search": search,
        "seed": seed,
        "held_out": first.held_out and first.held_out.as_json(),
        "metric": first.protocol and first.protocol.primary,
        "hours": hours / SECONDS_PER_HOUR,
        "trials": runs,
        "chosen": best_of(made).values,
    }
    return validate(Choice, content, source="the trials", remedy=REMEDY)


def _trial(run: Manifest, values: Values) -> dict[str, Any]:
    metric = run.protocol.primary if run.protocol else ""
    curves = {
        name: curve.as_json() for name, curve in run.curves.items() if name in ("loss", metric)
    }
    return {
        "values": values,
        "score": run.metrics.get(metric),
        "failure": run.failure and run.failure.reason,
        "wall_seconds": run.cost.wall_seconds if run.cost else 0.0,
        "curves": curves,
    }


def _where(run: Manifest) -> str:
    images = run.held_out.images if run.held_out else 0
    return f"{images} images, {run.protocol.id if run.protocol else ''}"


if __name__ == "__main__":
    cli.main(main)
