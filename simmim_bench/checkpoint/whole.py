"""Load a whole model from the checkpoint of its own config, every key or none.

Keys and shapes are compared here and not by torch's ``strict``: some upstream classes drop
buffers while they load, since they compute them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import Manifest

SHOWN_KEYS = 3


def written_by(checkpoint: Path) -> Path:
    """The file itself, or of a finished run's folder the checkpoint that its manifest names."""
    if not checkpoint.is_dir():
        return checkpoint
    return checkpoint / Manifest.read(checkpoint / "manifest.json").outputs["checkpoint"].path


def difference(model: nn.Module, given: Mapping[str, Tensor]) -> str | None:
    """What of ``given`` does not fit ``model``, in words; None if all does."""
    own = model.state_dict()
    missing = [key for key in own if key not in given]
    unexpected = [key for key in given if key not in own]
    if missing or unexpected:
        return f"{_count(missing, 'missing')}, {_count(unexpected, 'unexpected')} of {len(own)}"
    of_any_length = getattr(model, "of_any_length", ())
    for key, value in own.items():
        first = key in of_any_length
        if given[key].shape[first:] != value.shape[first:]:
            shapes = tuple(given[key].shape), tuple(value.shape)
            return f"{key} is {shapes[0]}, expected {shapes[1]}"
    return None


def load_whole(model: nn.Module, content: dict[str, Any], *, checkpoint: Path, config: str) -> None:
    """Load every key of ``model`` from the content of ``checkpoint``.

    Raises:
        BenchError: If a key is missing, unexpected, or of another shape.
    """
    given = content.get("state_dict", content)
    differing = difference(model, given)
    if differing:
        raise BenchError(
            f"{checkpoint} is not a checkpoint of {config}: {differing}; give an epoch_*.pth or "
            f"iter_*.pth that was trained with this config (and the same --num-classes)"
        )
    model.load_state_dict(given, strict=False)


def _count(keys: Sequence[str], what: str) -> str:
    if not keys:
        return f"0 keys {what}"
    more = ", ..." if len(keys) > SHOWN_KEYS else ""
    return f"{len(keys)} keys {what} ({', '.join(keys[:SHOWN_KEYS])}{more})"
