"""Names: which are accepted, which are refused, and that none is altered but to NFC."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simmim_bench.config import load_config
from simmim_bench.records.names import PUNCTUATION, checked_name
from simmim_bench.records.protocols import Protocol
from tests.records.conftest import protocol

GOOD = [
    *(
        "simmim",
        "My 1000 photos",
        "10 % of the labels",
        "val2017, the first 200 by name",
        "B. v1-2",
    ),
    *(
        "données",
        "Übung 2",
        "наши фото",
        "ImageNet по-русски",
        "写真",
        "私のデータ",
        "ResNet写真",
        "한국어 데이터",
    ),
    *("हिन्दी", "ภาษาไทย", "tiếng Việt", "β-VAE", "٣ صور", "Ёлки", "й"),
]


@pytest.mark.parametrize("name", GOOD)
def test_letters_of_any_language_stay_as_they_are(name):
    assert checked_name(unicodedata.normalize("NFC", name)) == unicodedata.normalize("NFC", name)


def test_two_spellings_of_an_accent_are_one_name():
    assert checked_name("Zu\u0308rich") == checked_name("Z\u00fcrich") == "Z\u00fcrich"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simmim\u202egnp", r"'\\u202e' \(RIGHT-TO-LEFT OVERRIDE\) is not allowed; a name holds"),
        ("sim\u200bmim", "ZERO WIDTH SPACE"),
        ("sim\u00admim", "SOFT HYPHEN"),
        ("sim\x07mim", r"'\\x07' \(a control character\) is not allowed"),
        ("sim\nmim", r"'\\n' \(a control character\)"),
        ("sim\u2028mim", "LINE SEPARATOR"),
        ("sim\u00a0mim", "NO-BREAK SPACE"),
        ("sim\u3000mim", "IDEOGRAPHIC SPACE"),
        ("sim\u3164mim", "HANGUL FILLER"),
        ("simmim\ufe0f", "VARIATION SELECTOR-16"),
        ("a\u2215b", "DIVISION SLASH"),
        ("a/b", "'/' is not allowed"),
        ("<script>", "'<' is not allowed"),
        ("=1+1", "'=' is not allowed"),
        ("\\\\input{x}", "is not allowed"),
        ("a|b", "'\\|' is not allowed"),
        ("-rf", "starts with a letter or digit, got '-'"),
        ("..", "starts with a letter or digit, got '.'"),
        (" a", "outer spaces"),
        ("a ", "outer spaces"),
        ("\u0455immim", "Cyrillic and Latin letters, .\u0455. .CYRILLIC SMALL LETTER DZE. and .i."),
        ("the Mi\u0441roscope", "'Mi\u0441roscope' mixes Latin and Cyrillic letters, 'M' and"),
        ("simmim\u03bf", "mixes Latin and Greek"),
        ("\uff33imMIM", "FULLWIDTH LATIN CAPITAL LETTER S\\) looks like 'S'; write 'SimMIM'"),
        ("\U0001d42cimmim", "MATHEMATICAL BOLD SMALL S"),
        ("\ufb01ne", "looks like 'fi'; write 'fine'"),
        ("a" + "\u0310" * 5, "COMBINING CANDRABINDU\\) on no letter, or too many on one"),
        ("a \u0310b", "on no letter"),
        ("\u5199" * 41, "at most 120 bytes in UTF-8, got 123"),
        ("\ud800a", "'\\\\ud800'"),
    ],
)  # fmt: skip
def test_what_misleads_or_breaks_is_refused_with_the_character(name, message):
    with pytest.raises(ValueError, match=message):
        checked_name(name)


@given(st.text(max_size=30))
def test_a_name_is_kept_or_refused_and_never_rewritten(text):
    try:
        name = checked_name(text)
    except ValueError:
        return
    assert name == unicodedata.normalize("NFC", text)
    assert name.isprintable()
    assert checked_name(name) == name
    assert all(c.isalnum() or c in PUNCTUATION or unicodedata.category(c)[0] == "M" for c in name)


def test_a_name_on_the_command_line_keeps_its_spaces():
    """mmengine's own parser makes "My1000photos" of it."""
    config = "configs/demo/mask-rcnn_swin-demo_fpn.py"
    given_ = ["protocol.dataset=My 1000 photos", "protocol.split=val, the first 10"]
    stated = load_config(config, overrides=given_).protocol
    assert stated.dataset == "My 1000 photos"
    assert stated.split == "val, the first 10"
    assert Protocol.model_validate(protocol(dataset=stated.dataset)).dataset == "My 1000 photos"
