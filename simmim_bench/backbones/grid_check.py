"""A forward hook on a patch embedding that refuses a mask of another grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn


def grid_must_fit(mask: Tensor) -> Callable[[nn.Module, Any, tuple[Tensor, Any]], None]:
    """Hook that compares ``mask`` (B, h, w) with what the patch embedding returns.

    The hook raises ValueError where they differ.
    """

    def check(_module: nn.Module, _args: Any, output: tuple[Tensor, Any]) -> None:
        tokens, grid = output
        if mask.shape != (tokens.shape[0], *grid):
            raise ValueError(
                f"mask {tuple(mask.shape)} does not fit a batch of {tokens.shape[0]} images of "
                f"{grid[0]} x {grid[1]} tokens; make it (batch, rows, columns) of the token grid"
            )

    return check
