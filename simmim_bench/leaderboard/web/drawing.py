"""Style of charts on web pages: colours, markers, and SVG in the text colour of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Okabe and Ito's palette for the colour-blind (https://jfly.uni-koeln.de/color/), without its black
# and yellow, which are invisible on a dark or a light page
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH = 3.7  # inches of a chart: 355 CSS pixels, which a phone shows without making text smaller
CHARACTERS = 12  # of a legend, for an inch
MARK = 7  # characters as wide as a marker in the legend
MAX_COLUMNS = 4
READABLE = 88  # minimum of CSS pixels for an inch: text of 9 points is then 11 pixels high
ROW = 0.2  # height of a row of a legend in inches
INK = "#123457"  # placeholder of the page's text colour
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "simmim_bench",
    "font.family": "sans-serif",
    "text.parse_math": False,  # no mathematics in names
    "font.size": 9,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True)
class Chart:
    """A heading and inline SVG; for a menu, the question it answers and its topic.

    ``reading`` says in a sentence or two how to read it.
    """

    heading: str
    svg: str
    kind: str = ""
    topic: str = ""
    reading: str = ""


def looks_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and marker of each method in all charts; 36 pairs, the first 6 differ in both."""
    return {
        method: {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
            "markersize": 7,
        }
        for place, method in enumerate(sorted(set(names)))
    }


def legend(figure: Any) -> None:
    """Add one legend above all axes and enlarge the figure by it; long names are cut."""
    found = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    limit = int(figure.get_figwidth() * CHARACTERS)
    names = [shorten(name, limit - MARK) for name in found]
    columns = max(1, min(MAX_COLUMNS, limit // (MARK + max(map(len, names), default=1))))
    figure.set_figheight(figure.get_figheight() + ROW * -(-len(names) // columns))
    figure.legend(found.values(), names, loc="outside upper center", ncols=columns, frameon=False)


def shorten(text: str, most: int) -> str:
    """Cut ``text`` to ``most`` characters, the last of which is then an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def styled() -> Any:
    """Context manager that gives all figures the same style."""
    from matplotlib import rc_context

    return rc_context(STYLE)


def as_svg(figure: Any) -> str:
    """Inline SVG in the text colour of the page; the same figure gives the same bytes.

    It has a minimum width at which text is readable; on narrower pages its box scrolls (``figure``
    in ``page.css``).
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    least = round(READABLE * figure.get_figwidth())
    text = text.replace("<svg", f'<svg style="min-width: {least}px"', 1)
    return text.replace(INK, "currentColor")
