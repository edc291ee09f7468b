"""A file that a target needs and that is not there."""

from __future__ import annotations

import difflib
from pathlib import Path

from simmim_bench.errors import BenchError


def require_file(path: Path, what: str, remedy: str) -> None:
    """Check that ``path`` is a file.

    Raises:
        BenchError: If not; names files of the same folder that are spelt alike, else the remedy.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise BenchError(f"{what} {path} is a folder; give a file in it")
    beside = sorted(item.name for item in path.parent.iterdir()) if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(str(path.parent / name) for name in near)}?"
    raise BenchError(f"{what} {path} does not exist; {hint if near else remedy}")
