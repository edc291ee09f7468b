"""Fonts that have the letters of a text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

USUAL = "DejaVu Sans"
"""Comes with matplotlib and has the letters of Europe, and a few others."""
FALLBACKS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Arial Unicode MS")
"""Fonts with the letters of East Asia, which matplotlib's own does not have."""


def families() -> list[str]:
    """The usual font, and the fallbacks that are installed."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [USUAL, *(name for name in FALLBACKS if name in installed)]


def font_for(text: str, size: int) -> Any:
    """The first font that has all letters of a text, for Pillow; the usual one if none has.

    Args:
        text: What is drawn; Pillow draws it with one font.
        size: In pixels.
    """
    return _font(_file_for(text), size)


@lru_cache(maxsize=4096)
def _file_for(text: str) -> str:
    needed = {ord(letter) for letter in text if unicodedata.category(letter)[0] not in "CZ"}
    usual = _usual_file()
    if needed <= _letters(usual):
        return usual
    return next((file for file in _files() if needed <= _letters(file)), usual)


def _files() -> Iterator[str]:
    """Files of the installed fonts: the fallbacks, then others, without matplotlib's symbols."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import fontManager

    own = Path(get_data_path())
    fonts = [
        font
        for font in fontManager.ttflist
        if font.style == "normal" and own not in Path(font.fname).parents
    ]
    places = {name: place for place, name in enumerate(FALLBACKS)}

    def order(font: Any) -> tuple[int, bool, str, str]:
        return places.get(font.name, len(places)), font.weight != 400, font.name, font.fname

    return iter(dict.fromkeys(font.fname for font in sorted(fonts, key=order)))


@cache
def _usual_file() -> str:
    from matplotlib import get_data_path

    return str(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf"))


@cache
def _letters(file: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # removed or damaged since matplotlib listed it
        return frozenset()


@cache
def _font(file: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(file, size)
