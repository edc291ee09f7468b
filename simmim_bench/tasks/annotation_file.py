"""Read and check JSON annotation files of captions and questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simmim_bench.data.annotations import INSIDE, is_inside
from simmim_bench.errors import BenchError
from simmim_bench.io import parse_json, read_bytes


def read_entries(path: str | Path, key: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Entries of the list ``key`` of a JSON file, each of which has ``fields``.

    Raises:
        BenchError: If the file is missing or not JSON, has no such list or an empty one, or an
            entry lacks a field or names a file outside the folder of the images.
    """
    try:
        document = parse_json(read_bytes(Path(path)))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read as JSON ({error}); restore the file") from error
    entries = document.get(key) if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise BenchError(f"{path} has no list {key!r}, or an empty one")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise BenchError(f"{path}: entry {number} of {key!r} is {entry!r:.80}, not an object")
        lacking = [field for field in fields if field not in entry]
        if lacking:
            raise BenchError(
                f"{path}: entry {number} of {key!r} has no {lacking[0]!r}; required fields: "
                f"{', '.join(fields)}"
            )
        if "file_name" in fields and not is_inside(entry["file_name"]):
            raise BenchError(
                f"{path}: entry {number} of {key!r} has the file_name {entry['file_name']!r:.100}, "
                f"expected {INSIDE}"
            )
    return entries


def checked_text(text: Any, *, what: str, path: str | Path) -> str:
    """``text`` without surrounding spaces.

    Raises:
        BenchError: If it is not a string, or empty.
    """
    if not isinstance(text, str) or not text.strip():
        raise BenchError(f"{path}: {what} must not be empty, got {text!r}; correct or remove it")
    return text.strip()
