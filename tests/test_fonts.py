"""Fonts: a text is drawn with the first installed font that has its letters."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import FontEntry, fontManager

from simmim_bench import fonts
from simmim_bench.fonts import families, font_for


def make_font(path, name, letters):
    """A font in which every letter is a triangle."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((400, 800))
    pen.lineTo((800, 0))
    pen.closePath()
    names = [".notdef", *(f"u{ord(letter)}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter)}" for letter in letters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (900, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return FontEntry(fname=str(path), name=name, style="normal", weight=400)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Two fonts with letters of East Asia; that of the fallbacks comes first."""
    fonts._file_for.cache_clear()
    other = make_font(tmp_path / "a.ttf", "A Font", "犬猫ก 5")
    fallback = make_font(tmp_path / "z.ttf", "WenQuanYi Zen Hei", "犬猫 5")
    monkeypatch.setattr(fontManager, "ttflist", [*fontManager.ttflist, other, fallback])
    yield
    fonts._file_for.cache_clear()


def name_of(text):
    return Path(font_for(text, 12).path).name


@pytest.mark.usefixtures("installed")
def test_each_text_has_the_first_font_with_its_letters():
    assert name_of("größe собаки") == "DejaVuSans.ttf"
    assert name_of("犬 猫 5") == "z.ttf"
    assert name_of("犬\u200bก") == "a.ttf"  # a space without width is no letter
    assert name_of("犬 \U00012000") == "DejaVuSans.ttf"  # no font has the second
    assert families() == ["DejaVu Sans", "WenQuanYi Zen Hei"]


def test_letters_of_europe_are_no_boxes_on_a_contact_sheet():
    from simmim_bench.data.tiles import lay_out

    one, two = (lay_out([(title, [])]) for title in ("é", "ж"))
    assert one.tobytes() != two.tobytes()
