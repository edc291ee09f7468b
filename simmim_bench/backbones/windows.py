"""Attention within windows for transformers of one stride, by hooks around their attention.

Section 3 of ViTDet (https://arxiv.org/abs/2203.16527): blocks attend within windows of the
pretraining's token grid, and a few evenly spaced ones over the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class AttentionInWindows:
    """Mixin of ViTs: attention modules see windows where ``attend_in_windows`` says so.

    A class token stands in every window and becomes the mean of what the windows make of it.
    Windows at the border are filled up with zeros, which take part in attention, as in ViTDet.

    Attributes:
        window_size: Side of a window in tokens.
        grid: Rows and columns of the tokens of the image at hand.
    """

    window_size: int
    grid: tuple[int, int]
    num_extra_tokens: int

    def attend_in_windows(self, layers: Sequence[nn.Module], global_blocks: Sequence[int]) -> None:
        """Put hooks around the attention of all ``layers`` but the global ones."""
        for index, layer in enumerate(layers):
            if index not in global_blocks:
                layer.attn.register_forward_pre_hook(self._split)
                layer.attn.register_forward_hook(self._merge)

    def _split(self, _module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """(B, extra + H * W, C) -> (B * windows, extra + window ** 2, C)."""
        tokens, *others = args
        window, (rows, columns), extra = self.window_size, self.grid, self.num_extra_tokens
        class_token, patches = tokens[:, :extra], tokens[:, extra:].unflatten(1, (rows, columns))
        patches = F.pad(patches, (0, 0, 0, -columns % window, 0, -rows % window))
        patches = patches.unflatten(2, (-1, window)).unflatten(1, (-1, window))
        patches = patches.transpose(2, 3)  # (B, down, across, window, window, C)
        windows = patches.shape[1] * patches.shape[2]
        patches = patches.flatten(3, 4).flatten(0, 2)
        class_token = class_token.repeat_interleave(windows, dim=0)
        return (torch.cat([class_token, patches], dim=1), *others)

    def _merge(self, _module: nn.Module, _args: object, output: Tensor) -> Tensor:
        """(B * windows, extra + window ** 2, C) -> (B, extra + H * W, C)."""
        window, (rows, columns), extra = self.window_size, self.grid, self.num_extra_tokens
        down, across = -(-rows // window), -(-columns // window)
        output = output.unflatten(0, (-1, down * across))
        class_token = output[:, :, :extra].mean(dim=1)
        patches = output[:, :, extra:].unflatten(2, (window, window)).unflatten(1, (down, across))
        patches = patches.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        patches = patches[:, :rows, :columns].flatten(1, 2)
        return torch.cat([class_token, patches], dim=1)


def check_global_blocks(global_blocks: Sequence[int], depth: int) -> None:
    """Refuse blocks that do not exist.

    Raises:
        ValueError: If one of ``global_blocks`` is not below ``depth``.
    """
    if not set(global_blocks) <= set(range(depth)):
        raise ValueError(f"global_blocks {list(global_blocks)} are not in 0 to {depth - 1}")
