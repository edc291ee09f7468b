"""How charts of web pages look: colours, markers, and SVG that takes the page's ink."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Okabe and Ito's palette, told apart by the colour-blind (https://jfly.uni-koeln.de/color/),
# without its black and yellow, which vanish on dark and light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
TOLD_APART = len(COLOURS) * len(MARKERS)  # methods of one legend
WIDTH = 3.7  # inches of a chart: 355 CSS pixels, which a phone shows without making text smaller
CHARACTERS = 12  # of a legend, on an inch
MARK = 7  # characters that an entry's mark and the gap after it take
MOST_COLUMNS = 4
READABLE = 88  # CSS pixels of an inch at least: text of 9 points is then 11 pixels high
ROW = 0.2  # inches that a row of a legend takes, with the gap above it
INK = "#123457"  # stands for the page's own text colour
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "simmim_bench",
    "font.family": "sans-serif",
    "text.parse_math": False,  # names are text
    "font.size": 9,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Chart:
    """A heading and inline SVG."""

    heading: str
    svg: str


def looks_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each method, the same in all charts; 36 methods differ, 6 in both."""
    return {
        method: {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            "markersize": 7,
        }
        for place, method in enumerate(sorted(set(names)))
    }


def legend(figure: Any) -> None:
    """One legend above all axes, by which the figure grows; names wider than it are cut."""
    found = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    fitting = int(figure.get_figwidth() * CHARACTERS)
    names = [shorten(name, fitting - MARK) for name in found]
    columns = max(1, min(MOST_COLUMNS, fitting // (MARK + max(map(len, names), default=1))))
    figure.set_figheight(figure.get_figheight() + ROW * -(-len(names) // columns))
    figure.legend(found.values(), names, loc="outside upper center", ncols=columns, frameon=False)


def shorten(text: str, most: int) -> str:
    """At most ``most`` characters, the last one an ellipsis where some are left out."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def styled() -> Any:
    """Context in which figures are drawn alike."""
    from matplotlib import rc_context

    return rc_context(STYLE)


def as_svg(figure: Any) -> str:
    """Inline SVG, the same bytes for the same figure, ink as the page's; no smaller than readable.

    Where the page is narrower, the box around it scrolls (``figure`` of ``page.css``).
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    least = round(READABLE * figure.get_figwidth())
    text = text.replace("<svg", f'<svg style="min-width: {least}px"', 1)
    return text.replace(INK, "currentColor")
