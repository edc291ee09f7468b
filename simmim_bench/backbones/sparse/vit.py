"""The plain ViT on visible tokens, as MAE's encoder (https://arxiv.org/abs/2111.06377, section 3).

Two hooks: tokens are dropped after the position embedding and put back after the last norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.token_hook import grid_must_fit


@contextmanager
def visible_vit(backbone: Any, mask: Tensor, mask_token: Tensor) -> Iterator[None]:
    """See ``visible_only``; the class token is always visible.

    Raises:
        ValueError: If images have different numbers of visible tokens, or (forward) the mask is
            not that of the token grid.
    """
    hidden = mask.flatten(1)  # (B, N)
    visible = (~hidden).sum(dim=1)
    if bool((visible != visible[0]).any()):
        raise ValueError(
            f"images have {int(visible.min())} to {int(visible.max())} visible tokens; a sparse "
            f"ViT needs as many in each: use a mask of fixed count, as masking at random has"
        )
    extra = int(backbone.num_extra_tokens)
    order = hidden.to(torch.uint8).argsort(dim=1, stable=True)[:, : int(visible[0])]
    rank = (~hidden).cumsum(dim=1) - 1  # place of a visible token among the visible ones

    def drop(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        kept = tokens[:, extra:].take_along_dim(order.unsqueeze(-1), dim=1)
        return torch.cat([tokens[:, :extra], kept], dim=1)  # (B, extra + visible, C)

    def put_back(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        spread = tokens[:, extra:].take_along_dim(rank.clamp(min=0).unsqueeze(-1), dim=1)
        filled = torch.where(hidden.unsqueeze(-1), mask_token.to(tokens.dtype), spread)
        return torch.cat([tokens[:, :extra], filled], dim=1)  # (B, extra + N, C)

    last = backbone.ln1 if backbone.final_norm else backbone.layers[-1]
    handles = [
        backbone.patch_embed.register_forward_hook(grid_must_fit(mask)),
        backbone.pre_norm.register_forward_hook(drop),
        last.register_forward_hook(put_back),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
