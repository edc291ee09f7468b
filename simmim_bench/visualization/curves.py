"""Curves of a run from the scalars that its logger wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.plots import new_figure, save_figure


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
