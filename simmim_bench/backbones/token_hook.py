"""Put the mask token in by a forward hook on the patch embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def replace_masked_tokens(
    patch_embed: nn.Module, mask: Tensor, mask_token: Tensor
) -> Iterator[None]:
    """Within the context, ``patch_embed`` returns ``mask_token`` at masked positions.

    Args:
        patch_embed: Module that returns (tokens (B, h * w, C), (h, w)), as mmcv's does.
        mask: Bool, (B, h, w); True = masked.
        mask_token: (1, 1, C).

    Raises:
        ValueError: If the mask is not bool, or its shape is not that of the token grid.
    """

    def replace(
        _module: nn.Module, _args: Any, output: tuple[Tensor, tuple[int, int]]
    ) -> tuple[Tensor, tuple[int, int]]:
        tokens, grid = output  # (B, h * w, C)
        if mask.shape != (tokens.shape[0], *grid):
            raise ValueError(
                f"mask {tuple(mask.shape)} does not fit a batch of {tokens.shape[0]} images of "
                f"{grid[0]} x {grid[1]} tokens; make it (batch, rows, columns) of the token grid"
            )
        where = mask.flatten(1).unsqueeze(-1)  # (B, h * w, 1)
        return torch.where(where, mask_token.to(tokens.dtype), tokens), grid

    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}, not torch.bool; True means masked")
    handle = patch_embed.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


# A forward hook on a patch embedding that refuses a mask of another grid.


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
