"""Curves of a run: scalars that its logger wrote, thinned to be kept in a record."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import Field

from simmim_bench.errors import BenchError
from simmim_bench.io import parse_json, read_bytes
from simmim_bench.plots import new_figure, save_figure
from simmim_bench.records.protocols import BY_SIZE, in_percent
from simmim_bench.records.schema import StrictModel

MAX_POINTS = 60
DIGITS = 5
"""Significant digits of a value."""

PROBES = ("knn", "linear", "rankme", "lidar")
"""What ``--probe-every`` measures; accuracies are in percent."""

Against = Literal["iteration", "epoch"]
Point = Annotated[tuple[float, float], Field(strict=False)]


class Curve(StrictModel):
    """Values against iterations or epochs, in ascending order.

    ``loss`` is the training loss; a metric is in percent.
    """

    against: Against
    points: Annotated[list[Point], Field(min_length=1, max_length=MAX_POINTS)]


def read_scalars(work_dir: Path, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of scalar ``key``; of a resumed run, the later values count.

    Steps are iterations; for metrics of a validation in a run that counts epochs, they are epochs.

    Raises:
        BenchError: If the folder has no scalars, or none of that name.
    """
    files = sorted(work_dir.glob("*/vis_data/scalars.json"))
    if not files:
        raise BenchError(f"{work_dir} has no */vis_data/scalars.json; give the folder of a run")
    rows = [row for file in files for row in _read_lines(file)]
    values = {
        row["step"]: row[key]
        for row in rows
        if _is_number(row.get(key)) and _is_step(row.get("step"))
    }
    if not values:
        known = sorted({name for row in rows for name in row})
        raise BenchError(f"{work_dir} has no scalar {key!r}; it has {', '.join(known)}")
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def _read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a log; a line that was damaged when the machine stopped is skipped."""
    for line in read_bytes(file).splitlines():
        with suppress(ValueError):
            row = parse_json(line)
            if isinstance(row, dict):
                yield row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def curves_of(
    work_dir: Path, protocol: Mapping[str, Any] | None, *, by_epoch: bool
) -> dict[str, Curve]:
    """Curves for the record of a run: the loss and the protocol's metrics, as far as logged.

    Args:
        work_dir: Folder of the run.
        protocol: With ``metrics``, from names in records to keys of the evaluator.
        by_epoch: Whether the steps of validations are epochs.
    """
    counted: Against = "epoch" if by_epoch else "iteration"
    keys: dict[str, tuple[str, Against]] = {"loss": ("loss", "iteration")}
    keys |= {f"probe_{name}": (f"probe/{name}", "epoch") for name in PROBES}
    if protocol:
        keys |= {name: (key, counted) for name, key in protocol["metrics"].items()}
    curves = {}
    for name, (key, against) in keys.items():
        try:
            logged = zip(*read_scalars(work_dir, key), strict=True)
        except BenchError:  # a run of one iteration logs nothing
            continue
        finite = [
            (step, in_percent(key, value))
            for step, value in logged
            if math.isfinite(value) and not (value == -1 and key.endswith(BY_SIZE))
        ]
        if finite:
            curves[name] = thin(*zip(*finite, strict=True), against=against)
    return curves


def thin(steps: Sequence[float], values: Sequence[float], *, against: Against) -> Curve:
    """A curve of at most ``MAX_POINTS`` points, each the mean of neighbouring values.

    The last point is at the last step, so that the end of a training is shown.

    Args:
        steps: Ascending, at least one.
        values: As many, finite.
        against: What ``steps`` counts.
    """
    parts = min(MAX_POINTS, len(steps))
    ends = [len(steps) * part // parts for part in range(parts + 1)]
    points = [
        (float(steps[last - 1]), float(f"{fmean(values[first:last]):.{DIGITS}g}"))
        for first, last in itertools.pairwise(ends)
    ]
    return Curve(against=against, points=points)


def plot_curve(work_dirs: dict[str, Path], key: str, path: Path, *, ylabel: str) -> None:
    """Plot scalar ``key`` of each named run against the iteration into ``path`` (PNG)."""
    figure = new_figure(width=6, height=3.6)
    axes = figure.subplots()
    for name, folder in work_dirs.items():
        axes.plot(*read_scalars(folder, key), label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    if len(work_dirs) > 1:
        axes.legend()
    save_figure(figure, path)
