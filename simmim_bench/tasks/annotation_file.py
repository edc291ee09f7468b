"""Read a JSON annotation file, or say in one sentence why it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError


def read_entries(path: str | Path, key: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Entries of the list ``key`` of a JSON file, each of which has ``fields``.

    Raises:
        BenchError: If the file is missing or no JSON, has no such list or an empty one, or an
            entry lacks a field.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read as JSON ({error}); restore the file") from error
    entries = document.get(key) if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise BenchError(f"{path} has no {key!r}, or an empty list; give a file that lists them")
    for number, entry in enumerate(entries):
        lacking = [field for field in fields if field not in entry]
        if lacking:
            raise BenchError(
                f"{path}: entry {number} of {key!r} has no {lacking[0]!r}; expected are "
                f"{', '.join(fields)}"
            )
    return entries


def checked_text(text: Any, *, what: str, path: str | Path) -> str:
    """``text`` without spaces around it.

    Raises:
        BenchError: If it is no string, or an empty one.
    """
    if not isinstance(text, str) or not text.strip():
        raise BenchError(f"{path}: {what} is {text!r}, expected some words; correct or remove it")
    return text.strip()
