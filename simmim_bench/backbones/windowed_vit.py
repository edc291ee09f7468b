"""BEiT-style and plain ViT for large images: attention within windows in most blocks.

As section 3 of ViTDet (https://arxiv.org/abs/2203.16527): blocks attend within windows of the
pretraining's token grid, and a few evenly spaced ones over the whole image. The ViT is unchanged;
hooks around its attention modules split and merge the tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmpretrain.models.backbones import BEiTViT, VisionTransformer
from torch import Tensor, nn

from simmim_bench.registry import MODELS


class AttentionInWindows:
    """Mixin for a ViT of mmpretrain whose attention modules see windows.

    Extra tokens (the class token) are put into every window; afterwards they are the mean over the
    windows. Windows at the border are padded with zeros, which take part in attention, as in
    ViTDet.
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
                f"global_blocks must be in 0 to {self.num_layers - 1}, got {list(global_blocks)}"
            )
        if window_size < 1:
            raise ValueError(f"window_size must be at least 1, got {window_size}")
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


@MODELS.register_module()
class WindowedBEiTViT(AttentionInWindows, BEiTViT):
    """``BEiTViT`` whose attention modules see windows (see ``AttentionInWindows``).

    Keys and parameters are those of ``BEiTViT``; a windowed block's position bias has the size
    of a window, so with the pretraining's grid as the window it is loaded as it is.

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
        whole = dict(layer_cfgs or {})
        windowed = {**whole, "window_size": (window_size, window_size)}
        each = [whole if index in global_blocks else windowed for index in range(depth)]
        super().__init__(arch=arch, layer_cfgs=each, **kwargs)
        self.patch_embed.register_forward_hook(self._check_grid)
        self.attend_in_windows(window_size, global_blocks)

    def token_grid(self) -> tuple[int, int]:
        """That of ``img_size``, the only one that fits."""
        rows, columns = self.patch_resolution
        return rows, columns

    def _check_grid(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Any]) -> None:
        """Global blocks have a position bias for one grid."""
        grid, expected = tuple(output[1]), tuple(self.patch_resolution)
        if grid != expected:
            raise ValueError(
                f"the image has {grid[0]} x {grid[1]} tokens, but the position bias is for "
                f"{expected[0]} x {expected[1]}; pad every image to img_size={self.img_size[0]} "
                f"(data_preprocessor.pad_size_divisor)"
            )


@MODELS.register_module()
class WindowedViT(AttentionInWindows, VisionTransformer):
    """``VisionTransformer`` whose attention modules see windows (see ``AttentionInWindows``).

    Keys and parameters are those of ``VisionTransformer``. There is no position bias, and the
    position embedding is resized in every forward, so images may have any size and shape.

    Args:
        window_size: Side of a window in tokens.
        global_blocks: Indices of the blocks that attend over the whole image.
        kwargs: See ``VisionTransformer``; ``img_size`` is that of the position embedding.

    Raises:
        ValueError: If a global block does not exist.
    """

    def __init__(self, *, window_size: int, global_blocks: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._grid: tuple[int, int] = tuple(self.patch_resolution)
        self.patch_embed.register_forward_hook(self._note_grid)
        self.attend_in_windows(window_size, global_blocks)

    def token_grid(self) -> tuple[int, int]:
        """That of the image in the current forward."""
        return self._grid

    def _note_grid(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Any]) -> None:
        rows, columns = output[1]
        self._grid = (int(rows), int(columns))
