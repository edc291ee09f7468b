"""Lay out small pictures with captions on one sheet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from simmim_bench.fonts import font_for

COLUMNS, CELL = 10, 144
_GAP, _LINE, _TEXT = 6, 18, 10
PALETTE = (
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48),
    (145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212),
)  # fmt: skip

Tile = tuple[Image.Image, str]
"""A picture of at most ``CELL`` pixels, and its caption."""


def lay_out(sections: list[tuple[str, list[Tile]]], columns: int = COLUMNS) -> Image.Image:
    """Stack the sections: a title, and rows of tiles with captions."""
    row = CELL + _LINE
    rows = [-(-len(tiles) // columns) for _, tiles in sections]
    height = sum(2 * _LINE + row * count for count in rows) + _GAP
    sheet = Image.new("RGB", (columns * (CELL + _GAP) + _GAP, height), "white")
    write = _writer(sheet)
    top = _GAP
    for (title, tiles), count in zip(sections, rows, strict=True):
        write((_GAP, top), title)
        for place, (tile, caption) in enumerate(tiles):
            x = _GAP + place % columns * (CELL + _GAP)
            y = top + _LINE + place // columns * row
            sheet.paste(tile, (x, y))
            write((x, y + tile.height), caption)
        top += 2 * _LINE + row * count
    return sheet


def outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of ``mask`` with a neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner


def _writer(sheet: Image.Image) -> Callable[[tuple[int, int], str], None]:
    draw = ImageDraw.Draw(sheet)
    return lambda place, text: draw.text(place, text, fill="black", font=font_for(text, _TEXT))
