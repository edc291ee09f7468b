"""Matplotlib figures that need no display and are written atomically."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from simmim_bench.io import atomic_path

FALLBACKS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Arial Unicode MS")
"""Fonts with the letters of East Asia, which matplotlib's own does not have."""


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
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    fonts = ["DejaVu Sans", *(name for name in FALLBACKS if name in installed)]
    with (
        matplotlib.rc_context({"font.sans-serif": fonts}),
        warnings.catch_warnings(),
        atomic_path(path) as temporary,
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        figure.savefig(temporary, format="png", dpi=150)
