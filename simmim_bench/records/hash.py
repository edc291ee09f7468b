"""The hash of plain JSON content, whatever the order of its keys.

The canonical text is that of the standard library: keys sorted, no blanks, ASCII alone, floats as
``repr`` writes them. orjson writes the same text twenty times as fast, except where it spells
something otherwise; that is looked for, and then the standard library has the word.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson


def content_sha256(value: Any) -> str:
    """SHA-256 of the canonical text of ``value``.

    Raises:
        ValueError: If a number is not finite.
    """
    return hashlib.sha256(_slow_text(value)).hexdigest()


def model_sha256(value: Any) -> str:
    """The same, quickly, of the JSON of a validated model: its numbers are finite."""
    text = quick_text(value)
    return hashlib.sha256(_slow_text(value) if text is None else text).hexdigest()


def has_sha256(value: Any, expected: str) -> bool:
    """Whether ``expected`` is that hash of the JSON of a validated model.

    What orjson writes need not be looked through here: spelled otherwise it has another hash.
    """
    try:
        quick = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except TypeError:  # an integer of more than 64 bits, half a surrogate pair
        quick = ""
    return quick == expected or content_sha256(value) == expected


def _slow_text(value: Any) -> bytes:
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError("a figure is NaN or infinite; figures are finite numbers") from error
    return text.encode()


def quick_text(value: Any) -> bytes | None:
    """The canonical text by orjson; None where its spelling may not be the canonical one.

    Args:
        value: Plain JSON without NaN and infinity, which orjson would write as ``null``.
    """
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer of more than 64 bits, half a surrogate pair
        return None
    if not text.isascii() or b"\x7f" in text or b"\\" in text:
        return None
    figures = b"".join(text.split(b'"')[::2])  # all that stands outside of strings
    figures = figures.replace(b"true", b"").replace(b"false", b"")
    # repr has an exponent of two digits below 1e-4 and from 1e16 on: 1e-05, for 0.00001 or 1e-5
    return None if b"e" in figures or b"0.0000" in figures else text
