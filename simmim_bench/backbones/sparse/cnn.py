"""Convolutions that respect the mask, as SparK (https://arxiv.org/abs/2301.03580, section 3.2).

Kernels stay dense. Hidden pixels are 0; after every convolution and pooling hidden positions are
set to 0 again, so that what is hidden does not grow into what is visible; batch norm computes its
statistics on visible positions alone. The mask at each resolution is that of the last stage's
grid, enlarged. Reference: https://github.com/keyu-tian/SparK/blob/main/pretrain/encoder.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simmim_bench.backbones.lookup import adapter_for
from simmim_bench.backbones.pixels import fill_masked_pixels

SPREADING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
"""Modules that mix positions."""


@contextmanager
def visible_cnn(backbone: nn.Module, mask: Tensor, mask_token: Tensor) -> Iterator[None]:
    """See ``visible_only``; maps before the last are 0 where hidden.

    With nothing hidden the backbone runs as it is, to the bit.

    Raises:
        ValueError: If a position of the last map is partly masked, or (forward) the mask does
            not fit the images.
    """
    adapter = adapter_for(backbone)
    hidden = _cells(mask, adapter.token_size, adapter.feature_spec.strides[-1])

    @lru_cache
    def hidden_at(rows: int, columns: int) -> Tensor:
        """Hidden positions of a map, Bool, (B, 1, rows, columns)."""
        scales = rows // hidden.shape[1], columns // hidden.shape[2]
        large = hidden.repeat_interleave(scales[0], 1).repeat_interleave(scales[1], 2)
        return large.unsqueeze(1)

    def clear(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return output.masked_fill(hidden_at(*output.shape[2:]), 0)

    def put_token(_module: nn.Module, _args: Any, levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        token = mask_token.to(levels[-1].dtype).view(1, -1, 1, 1)
        return (*levels[:-1], torch.where(hidden_at(*levels[-1].shape[2:]), token, levels[-1]))

    modules = list(backbone.modules()) if bool(mask.any()) else []
    spreading = [module for module in modules if isinstance(module, SPREADING)]
    norms = [module for module in modules if isinstance(module, _BatchNorm)]
    handles = [module.register_forward_hook(clear) for module in spreading]
    handles.append(backbone.register_forward_hook(put_token))
    for norm in norms:
        vars(norm)["forward"] = _on_visible(norm, hidden_at)
    try:
        with fill_masked_pixels(backbone, mask, torch.zeros_like, size=adapter.token_size):
            yield
    finally:
        for handle in handles:
            handle.remove()
        for norm in norms:
            del vars(norm)["forward"]


def _on_visible(
    norm: nn.Module, hidden_at: Callable[[int, int], Tensor]
) -> Callable[[Tensor], Tensor]:
    """Forward of batch norm on visible positions, (B, C, h, w) both; 0 elsewhere."""
    stock = type(norm).forward

    def forward(features: Tensor) -> Tensor:
        visible = ~hidden_at(*features.shape[2:])[:, 0]  # (B, h, w)
        packed = features.movedim(1, -1)[visible]  # (N, C)
        normed = stock(norm, packed.t()[None, :, :, None])[0, :, :, 0].t()
        spread = normed.new_zeros((*visible.shape, features.shape[1]))
        spread[visible] = normed
        return spread.movedim(-1, 1)

    return forward


def _cells(mask: Tensor, token_size: int, stride: int) -> Tensor:
    """Mask (B, H / token, W / token) on the grid of the last map, (B, H / stride, W / stride)."""
    side = stride // token_size
    rows, columns = mask.shape[1:]
    if rows % side == columns % side == 0:
        cells = mask.unflatten(2, (-1, side)).unflatten(1, (-1, side))  # (B, h, side, w, side)
        first = cells[:, :, :1, :, :1]
        if bool((cells == first).all()):
            return first[:, :, 0, :, 0]
    raise ValueError(
        f"a sparse CNN needs images and masks of whole {stride} px, the stride of its last map; "
        f"set mask_patch_size={stride} and an image size that it divides"
    )
