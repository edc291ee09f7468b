"""Write weights with torch: all of the file or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from simmim_bench.io import atomic_path


def save_whole(content: dict[str, Any], path: Path) -> None:
    """Save ``content`` beside ``path`` and rename.

    Args:
        content: What ``torch.save`` takes.
        path: File; its folder is made.

    Raises:
        OSError: If the disk is full; torch itself tells of unexpected positions then.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:
            cause = error.__context__
            if isinstance(cause, OSError):
                raise OSError(cause.errno, cause.strerror, str(path)) from error
            raise
