"""Outputs of backbones, which are maps, tokens or features."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def extra_tokens(backbone: Any) -> int:
    """Number of leading tokens without a position, such as the class token."""
    return int(getattr(backbone, "num_extra_tokens", 0))


def pooled(output: Tensor, *, extra: int) -> Tensor:
    """Mean over positions: (B, extra + N, C) or (B, C, H, W) -> (B, C)."""
    if output.ndim == 4:
        return output.mean(dim=(2, 3))
    return output[:, extra:].mean(dim=1) if output.ndim == 3 else output
