"""Curves of a run from the scalars that its logger wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simmim_bench.errors import BenchError
from simmim_bench.plots import new_figure, save_figure
from simmim_bench.records.curve import Against, Curve, thin
from simmim_bench.records.metrics import in_percent


def read_scalars(work_dir: Path, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of scalar ``key``; of a resumed run the later values count.

    Steps are iterations, and epochs for figures of a validation in a run that counts epochs.

    Raises:
        BenchError: If the folder has no scalars, or none of that name.
    """
    files = sorted(work_dir.glob("*/vis_data/scalars.json"))
    if not files:
        raise BenchError(f"{work_dir} has no */vis_data/scalars.json; is it the folder of a run?")
    rows = [row for file in files for row in _read_lines(file)]
    values = {row["step"]: row[key] for row in rows if key in row and "step" in row}
    if not values:
        known = sorted({name for row in rows for name in row})
        raise BenchError(f"{work_dir} logged no scalar {key!r}; it has {', '.join(known)}")
    steps = sorted(values)
    return steps, [values[step] for step in steps]


def _read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a log; a line that was cut off when the machine stopped is passed over."""
    for line in file.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def plot_curve(work_dirs: dict[str, Path], key: str, path: Path, *, ylabel: str) -> None:
    """Draw scalar ``key`` of each named run against the iteration into ``path`` (PNG)."""
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


# The curves of a run that its record keeps: the loss, and the protocol's metrics.


def curves_of(
    work_dir: Path, protocol: Mapping[str, Any] | None, *, by_epoch: bool
) -> dict[str, Curve]:
    """Curves from the scalars in a work dir; one that was not logged is left out.

    Args:
        work_dir: Folder of the run.
        protocol: With ``metrics``, from names of records to keys of the evaluator.
        by_epoch: Whether validations are counted in epochs.
    """
    counted: Against = "epoch" if by_epoch else "iteration"
    keys: dict[str, tuple[str, Against]] = {"loss": ("loss", "iteration")}
    if protocol:
        keys |= {name: (key, counted) for name, key in protocol["metrics"].items()}
    curves = {}
    for name, (key, against) in keys.items():
        try:
            steps, values = read_scalars(work_dir, key)
        except BenchError:  # a run of one iteration logs nothing
            continue
        kept = np.isfinite(values)
        if kept.any():
            figures = [in_percent(key, value) for value in np.array(values)[kept]]
            curves[name] = thin(np.array(steps)[kept], figures, against=against)
    return curves
