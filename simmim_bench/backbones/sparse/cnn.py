"""Convolutions that respect the mask, as SparK (https://arxiv.org/abs/2301.03580, section 3.2).

Kernels stay dense. Masked pixels are 0. After every convolution and pooling masked positions are
set to 0 again, so that they do not mix with visible ones; batch norm computes its statistics on
visible positions alone. The mask at each resolution is that of the last stage's grid, enlarged.
Reference: https://github.com/keyu-tian/SparK/blob/main/pretrain/encoder.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simmim_bench.backbones.base import BackboneAdapter, VisibleEncoder
from simmim_bench.backbones.mask_hooks import fill_masked_pixels, mask_of_cells
from simmim_bench.errors import BenchError

SPREADING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
"""Modules that mix positions."""


@contextmanager
def visible_cnn(adapter: BackboneAdapter, mask: Tensor, mask_token: Tensor) -> Iterator[None]:
    """See ``VisibleEncoder.run``; maps before the last are 0 where masked.

    With nothing masked the backbone runs unchanged, to the bit.

    Raises:
        ValueError: If a position of the last map is partly masked, or (forward) the mask does
            not fit the images.
    """
    backbone, stride = adapter.backbone, adapter.feature_spec.strides[-1]
    side = stride // adapter.token_size
    masked = mask_of_cells(mask, side, stride=stride, backbone="CNN")

    @lru_cache
    def masked_at(rows: int, columns: int) -> Tensor:
        """Masked positions of a map, Bool, (B, 1, rows, columns)."""
        scales = rows // masked.shape[1], columns // masked.shape[2]
        large = masked.repeat_interleave(scales[0], 1).repeat_interleave(scales[1], 2)
        return large.unsqueeze(1)

    def clear(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
        return output.masked_fill(masked_at(*output.shape[2:]), 0)

    def put_token(_module: nn.Module, _args: Any, levels: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        token = mask_token.to(levels[-1].dtype).view(1, -1, 1, 1)
        return (*levels[:-1], torch.where(masked_at(*levels[-1].shape[2:]), token, levels[-1]))

    modules = list(backbone.modules()) if bool(mask.any()) else []
    spreading = [module for module in modules if isinstance(module, SPREADING)]
    norms = [module for module in modules if isinstance(module, _BatchNorm)]
    handles = [module.register_forward_hook(clear) for module in spreading]
    handles.append(backbone.register_forward_hook(put_token))
    for norm in norms:
        vars(norm)["forward"] = _on_visible(norm, masked_at)
    try:
        with fill_masked_pixels(backbone, mask, torch.zeros_like, size=adapter.token_size):
            yield
    finally:
        for handle in handles:
            handle.remove()
        for norm in norms:
            del vars(norm)["forward"]


def _on_visible(
    norm: nn.Module, masked_at: Callable[[int, int], Tensor]
) -> Callable[[Tensor], Tensor]:
    """Forward of batch norm on visible positions, (B, C, h, w) both; 0 elsewhere."""
    stock = type(norm).forward

    def forward(features: Tensor) -> Tensor:
        visible = ~masked_at(*features.shape[2:])[:, 0]  # (B, h, w)
        packed = features.movedim(1, -1)[visible]  # (N, C)
        normed = stock(norm, packed.t()[None, :, :, None])[0, :, :, 0].t()
        spread = normed.new_zeros((*visible.shape, features.shape[1]))
        spread[visible] = normed
        return spread.movedim(-1, 1)

    return forward


def check_cnn(adapter: BackboneAdapter) -> None:
    """See ``VisibleEncoder.check``: the last stage is returned, norms are batch norms."""
    outputs, last = tuple(adapter.backbone.out_indices), len(adapter.stages()) - 1
    if max(outputs) != last:
        raise BenchError(
            f"a sparse CNN must return the map of its last stage, which its mask belongs to, got "
            f"out_indices={outputs}; let out_indices end with {last}"
        )
    for module in adapter.backbone.modules():
        if isinstance(module, nn.GroupNorm | nn.LayerNorm):
            raise BenchError(
                f"a sparse CNN needs batch norm, since {type(module).__name__} computes its "
                f"statistics over masked positions too; set norm_cfg=dict(type='BN')"
            )


VISIBLE_CNN = VisibleEncoder(check=check_cnn, run=visible_cnn)
