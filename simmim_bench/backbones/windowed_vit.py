"""BEiT-style ViT for large images: attention within windows in most blocks.

Section 3 of ViTDet (https://arxiv.org/abs/2203.16527): blocks attend within windows of the
pretraining's token grid, and a few evenly spaced ones over the whole image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.models.backbones import BEiTViT
from torch import Tensor, nn

from simmim_bench.registry import MODELS


@MODELS.register_module()
class WindowedBEiTViT(BEiTViT):
    """``BEiTViT`` whose attention modules see windows, by hooks around them.

    Keys and parameters are those of ``BEiTViT``; a windowed block's position bias has the size
    of a window, so with the pretraining's grid as the window it is loaded as it is. The class
    token stands in every window and becomes the mean of what the windows make of it. Windows
    at the border are filled up with zeros, which take part in attention, as in ViTDet.

    Args:
        window_size: Side of a window in tokens.
        global_blocks: Indices of the blocks that attend over the whole image.
        arch: Dict of ``BEiTViT`` or the name of one.
        layer_cfgs: Options of all blocks.
        kwargs: See ``BEiTViT``; ``img_size`` is the only size of image that fits.

    Raises:
        ValueError: If a global block does not exist, or (forward) for another image size.
    """

    def __init__(
        self,
        *,
        window_size: int,
        global_blocks: Sequence[int],
        arch: str | Mapping[str, Any] = "base",
        layer_cfgs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        depth = (self.arch_zoo[arch] if isinstance(arch, str) else arch)["num_layers"]
        if not set(global_blocks) <= set(range(depth)):
            raise ValueError(f"global_blocks {list(global_blocks)} are not in 0 to {depth - 1}")
        whole = dict(layer_cfgs or {})
        windowed = {**whole, "window_size": (window_size, window_size)}
        each = [whole if index in global_blocks else windowed for index in range(depth)]
        super().__init__(arch=arch, layer_cfgs=each, **kwargs)
        self.window_size = window_size
        self.patch_embed.register_forward_hook(self._check_grid)
        for index, layer in enumerate(self.layers):
            if index not in global_blocks:
                layer.attn.register_forward_pre_hook(self._split)
                layer.attn.register_forward_hook(self._merge)

    def _check_grid(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Any]) -> None:
        """Global blocks have a position bias for one grid."""
        grid, expected = tuple(output[1]), tuple(self.patch_resolution)
        if grid != expected:
            raise ValueError(
                f"image of {grid[0]} x {grid[1]} tokens, the position bias is for {expected[0]} x "
                f"{expected[1]}; pad every image to img_size={self.img_size[0]} "
                "(data_preprocessor.pad_size_divisor)"
            )

    def _split(self, _module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """(B, 1 + H * W, C) -> (B * windows, 1 + window ** 2, C)."""
        tokens, *others = args
        window, (rows, columns) = self.window_size, self.patch_resolution
        class_token, patches = tokens[:, :1], tokens[:, 1:].unflatten(1, (rows, columns))
        patches = F.pad(patches, (0, 0, 0, -columns % window, 0, -rows % window))
        patches = patches.unflatten(2, (-1, window)).unflatten(1, (-1, window))
        patches = patches.transpose(2, 3)  # (B, down, across, window, window, C)
        windows = patches.shape[1] * patches.shape[2]
        patches = patches.flatten(3, 4).flatten(0, 2)
        class_token = class_token.repeat_interleave(windows, dim=0)
        return (torch.cat([class_token, patches], dim=1), *others)

    def _merge(self, _module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        """(B * windows, 1 + window ** 2, C) -> (B, 1 + H * W, C)."""
        window, (rows, columns) = self.window_size, self.patch_resolution
        down, across = -(-rows // window), -(-columns // window)
        output = output.unflatten(0, (-1, down * across))
        class_token = output[:, :, 0].mean(dim=1, keepdim=True)
        patches = output[:, :, 1:].unflatten(2, (window, window)).unflatten(1, (down, across))
        patches = patches.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        patches = patches[:, :rows, :columns].flatten(1, 2)
        return torch.cat([class_token, patches], dim=1)
