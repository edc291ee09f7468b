"""The plain ViT on visible tokens, as MAE's encoder (https://arxiv.org/abs/2111.06377, section 3).

Two hooks: tokens are dropped after the position embedding and put back after the last norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.base import BackboneAdapter, VisibleEncoder
from simmim_bench.backbones.mask_hooks import grid_check_hook
from simmim_bench.errors import BenchError


@contextmanager
def visible_vit(adapter: BackboneAdapter, mask: Tensor, mask_token: Tensor) -> Iterator[None]:
    """See ``VisibleEncoder.run``; the class token is always visible.

    Raises:
        ValueError: If images have different numbers of visible tokens, or (forward) the mask is
            not that of the token grid.
    """
    backbone = adapter.backbone
    masked = mask.flatten(1)  # (B, N)
    visible = (~masked).sum(dim=1)
    if bool((visible != visible[0]).any()):
        raise ValueError(
            f"images have {int(visible.min())} to {int(visible.max())} visible tokens; a sparse "
            f"ViT needs the same number in each: use a mask of fixed count, such as random masks"
        )
    extra = int(backbone.num_extra_tokens)
    order = masked.to(torch.uint8).argsort(dim=1, stable=True)[:, : int(visible[0])]
    rank = (~masked).cumsum(dim=1) - 1  # place of a visible token among the visible ones

    def drop(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        kept = tokens[:, extra:].take_along_dim(order.unsqueeze(-1), dim=1)
        return torch.cat([tokens[:, :extra], kept], dim=1)  # (B, extra + visible, C)

    def put_back(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        spread = tokens[:, extra:].take_along_dim(rank.clamp(min=0).unsqueeze(-1), dim=1)
        filled = torch.where(masked.unsqueeze(-1), mask_token.to(tokens.dtype), spread)
        return torch.cat([tokens[:, :extra], filled], dim=1)  # (B, extra + N, C)

    last = backbone.ln1 if backbone.final_norm else backbone.layers[-1]
    handles = [
        backbone.patch_embed.register_forward_hook(grid_check_hook(mask)),
        backbone.pre_norm.register_forward_hook(drop),
        last.register_forward_hook(put_back),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def check_last_level(adapter: BackboneAdapter) -> None:
    """See ``VisibleEncoder.check``: the last level alone is returned."""
    backbone = adapter.backbone
    levels = backbone.layers if hasattr(backbone, "layers") else backbone.stages  # ViT, Swin
    last = len(levels) - 1
    if list(backbone.out_indices) != [last] or getattr(backbone, "out_after_downsample", False):
        raise BenchError(
            f"a sparse backbone returns only its last map, got out_indices="
            f"{tuple(backbone.out_indices)}; leave out_indices and out_after_downsample at their "
            f"defaults"
        )


VISIBLE_VIT = VisibleEncoder(check=check_last_level, run=visible_vit, blocks_need_mask=False)
