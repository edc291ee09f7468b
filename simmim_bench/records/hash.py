"""SHA-256 of plain JSON content, the same for every order of keys.

What is hashed is the text that ``json.dumps`` writes with sorted keys and without blanks.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson


def content_sha256(value: Any) -> str:
    """SHA-256 of the canonical text of ``value``.

    Raises:
        ValueError: If a number is NaN or infinite.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError("a number is NaN or infinite; only finite numbers are allowed") from error
    return hashlib.sha256(text.encode()).hexdigest()


def has_sha256(value: Any, expected: object) -> bool:
    """Whether ``expected`` is the hash of ``value``, the JSON of a validated model.

    orjson is twenty times as fast as the standard library and nearly always writes the same text,
    so it is tried first. Where it writes something else (an exponent, a letter beyond ASCII), the
    hash differs and the standard library decides.
    """
    try:
        quick = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except TypeError:  # an integer of more than 64 bits, a lone surrogate
        quick = ""
    return quick == expected or content_sha256(value) == expected
