"""Load a whole model from the checkpoint of its own config, every key or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.results.manifest import Manifest


def written_by(checkpoint: Path) -> Path:
    """The file itself, or of a finished run's folder the checkpoint that its manifest names."""
    if not checkpoint.is_dir():
        return checkpoint
    return checkpoint / Manifest.read(checkpoint / "manifest.json").outputs["checkpoint"].path


def load_whole(model: nn.Module, content: dict[str, Any], *, checkpoint: Path, config: str) -> None:
    """Load every key of ``model`` from the content of ``checkpoint``.

    Raises:
        BenchError: If a key is missing, unexpected, or of another shape.
    """
    try:
        model.load_state_dict(content.get("state_dict", content), strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:3]]
        raise BenchError(
            f"{checkpoint} is not a checkpoint of {config}: {' '.join(lines)[:400]}; give an "
            "epoch_*.pth or iter_*.pth that was trained with this config (and the same "
            "--num-classes)"
        ) from error
