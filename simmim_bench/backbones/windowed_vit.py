"""BEiT-style and plain ViT for large images: attention within windows in most blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmpretrain.models.backbones import BEiTViT, VisionTransformer
from torch import Tensor, nn

from simmim_bench.backbones.windows import AttentionInWindows
from simmim_bench.registry import MODELS


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
                f"image of {grid[0]} x {grid[1]} tokens, the position bias is for {expected[0]} x "
                f"{expected[1]}; pad every image to img_size={self.img_size[0]} "
                "(data_preprocessor.pad_size_divisor)"
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
