"""Files of a class report: tables for programs, pictures for people."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from simmim_bench.evaluation.class_report import Bad, ClassReport
from simmim_bench.io import atomic_write_text
from simmim_bench.plots import new_figure, save_figure

MOST_NAMES = 40  # classes that can be named along an axis
COLUMNS = 4
SIDE = 160  # pixels of a thumbnail


def write_report(report: ClassReport, folder: Path) -> None:
    """Write ``per_class.csv``, ``confusion.csv`` and ``.png``, ``worst.csv`` and ``.png``."""
    rows = report.rows()
    atomic_write_text(folder / "per_class.csv", _csv([list(rows[0]), *map(_values, rows)]))
    matrix = [
        [name, *counts]
        for name, counts in zip(report.classes, report.confusion.tolist(), strict=True)
    ]
    atomic_write_text(folder / "confusion.csv", _csv([["true", *report.classes], *matrix]))
    worst = sorted(report.worst)
    listed = [[bad.path, f"{bad.score:.4f}", bad.note] for bad in worst]
    atomic_write_text(folder / "worst.csv", _csv([["image", "score", "note"], *listed]))
    _draw_confusion(report, folder / "confusion.png")
    if worst:
        _draw_worst(worst, folder / "worst.png")


def _values(row: dict[str, float | str]) -> list[str]:
    return [value if isinstance(value, str) else _number(value) for value in row.values()]


def _number(value: float) -> str:
    """Counts as whole numbers, percents with two digits, nothing where nothing was."""
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _draw_confusion(report: ClassReport, path: Path) -> None:
    """Shares of each true class, so that rare classes are seen."""
    totals = report.confusion.sum(1, keepdims=True)
    shares = 100 * report.confusion / np.maximum(totals, 1)
    size = min(12.0, 3.0 + 0.3 * len(report.classes))
    figure = new_figure(width=size + 1, height=size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="cividis", vmin=0, vmax=100)
    axes.set(xlabel="predicted", ylabel="true")
    if len(report.classes) <= MOST_NAMES:
        axes.set_xticks(range(len(report.classes)), labels=report.classes, rotation=90)
        axes.set_yticks(range(len(report.classes)), labels=report.classes)
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    save_figure(figure, path)


def _draw_worst(worst: list[Bad], path: Path) -> None:
    rows = -(-len(worst) // COLUMNS)
    figure = new_figure(width=2.4 * COLUMNS, height=2.6 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes in panels:
        axes.axis("off")
    for axes, bad in zip(figure.axes, worst, strict=False):
        axes.imshow(_thumbnail(Path(bad.path)))
        axes.set_title(f"{bad.note}\n{Path(bad.path).name}", fontsize=7)
    save_figure(figure, path)


def _thumbnail(path: Path) -> Any:
    """The image, small; grey where it is gone."""
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            return np.asarray(small)
    except (OSError, UnidentifiedImageError):
        return np.full((SIDE, SIDE, 3), 200, np.uint8)
