"""Figures that need no display and are written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simmim_bench.io import atomic_path


def new_figure(*, width: float, height: float) -> Any:
    """Matplotlib ``Figure`` of a size in inches, its parts laid out without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG of 150 dots per inch, atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
