"""Attention within windows for an unchanged ViT, by hooks around its attention modules.

Section 3 of ViTDet (https://arxiv.org/abs/2203.16527): blocks attend within windows of the
pretraining's token grid, and a few evenly spaced ones over the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class AttentionInWindows:
    """Mixin of a ViT of mmpretrain: what its attention modules see and return.

    Extra tokens (the class token) stand in every window and become the mean of what the windows
    make of them. Windows at the border are filled up with zeros, which take part in attention,
    as in ViTDet.
    """

    window_size: int
    num_extra_tokens: int
    num_layers: int
    layers: nn.ModuleList

    def token_grid(self) -> tuple[int, int]:
        """Rows and columns of the patch tokens that the blocks see."""
        raise NotImplementedError

    def attend_in_windows(self, window_size: int, global_blocks: Sequence[int]) -> None:
        """Hook every block that is not in ``global_blocks``; called once, after construction.

        Raises:
            ValueError: If a global block does not exist, or the window has no token.
        """
        if not set(global_blocks) <= set(range(self.num_layers)):
            raise ValueError(
                f"global_blocks {list(global_blocks)} are not in 0 to {self.num_layers - 1}"
            )
        if window_size < 1:
            raise ValueError(f"window_size {window_size} is not 1 or more")
        self.window_size = window_size
        for index, layer in enumerate(self.layers):
            if index not in global_blocks:
                layer.attn.register_forward_pre_hook(self._split)
                layer.attn.register_forward_hook(self._merge)

    def _split(self, _module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """(B, extra + H * W, C) -> (B * windows, extra + window ** 2, C)."""
        tokens, *others = args
        window, (rows, columns), extra = self.window_size, self.token_grid(), self.num_extra_tokens
        patches = tokens[:, extra:].unflatten(1, (rows, columns))
        patches = F.pad(patches, (0, 0, 0, -columns % window, 0, -rows % window))
        patches = patches.unflatten(2, (-1, window)).unflatten(1, (-1, window))
        patches = patches.transpose(2, 3)  # (B, down, across, window, window, C)
        windows = patches.shape[1] * patches.shape[2]
        patches = patches.flatten(3, 4).flatten(0, 2)
        extra_tokens = tokens[:, :extra].repeat_interleave(windows, dim=0)
        return (torch.cat([extra_tokens, patches], dim=1), *others)

    def _merge(self, _module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        """(B * windows, extra + window ** 2, C) -> (B, extra + H * W, C)."""
        window, (rows, columns), extra = self.window_size, self.token_grid(), self.num_extra_tokens
        down, across = -(-rows // window), -(-columns // window)
        output = output.unflatten(0, (-1, down * across))
        extra_tokens = output[:, :, :extra].mean(dim=1)
        patches = output[:, :, extra:].unflatten(2, (window, window)).unflatten(1, (down, across))
        patches = patches.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        patches = patches[:, :rows, :columns].flatten(1, 2)
        return torch.cat([extra_tokens, patches], dim=1)
