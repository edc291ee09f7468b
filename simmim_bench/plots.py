"""Matplotlib figures that need no display and are written atomically."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from simmim_bench.fonts import families
from simmim_bench.io import atomic_path


def new_figure(*, width: float, height: float) -> Any:
    """A ``Figure`` with a constrained layout; width and height in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path) -> None:
    """Write a PNG with 150 dots per inch."""
    import matplotlib

    with (
        matplotlib.rc_context({"font.sans-serif": families()}),
        warnings.catch_warnings(),
        atomic_path(path) as temporary,
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        figure.savefig(temporary, format="png", dpi=150)
