"""Swin on visible tokens, as GreenMIM (https://arxiv.org/abs/2205.13515).

Blocks, norms and feed-forward layers run as they are on packed tokens (R, T, C); attention and
patch merging, which need to know where tokens are, get another ``forward`` within the context.

Images of one mask are R = B batches of the same places, whose groups and position biases are
computed once (as GreenMIM has it); of different masks, one batch (R = 1) of all tokens, grouped
over images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.backbones.base import BackboneAdapter, VisibleEncoder
from simmim_bench.backbones.fast_attention import shift_of
from simmim_bench.backbones.mask_hooks import grid_check_hook, mask_of_cells
from simmim_bench.backbones.sparse.group_attention import Grouping, Places, attend, group
from simmim_bench.backbones.sparse.vit import check_last_level
from simmim_bench.errors import BenchError

MERGED = 2  # tokens a side that patch merging joins


@contextmanager
def visible_swin(adapter: BackboneAdapter, mask: Tensor, mask_token: Tensor) -> Iterator[None]:
    """See ``VisibleEncoder.run``.

    Raises:
        ValueError: If a token of the last stage is partly masked, patch merging is not 2 x 2, a
            map is smaller than a window without ``pad_small_map``, or (forward) the mask is not
            that of the token grid.
    """
    backbone = adapter.backbone
    _check_whole_cells(backbone, mask)
    own = mask[:1] if bool((mask == mask[:1]).all()) else mask
    packs, packed = len(mask) // len(own), own.flatten()
    forwards, last = _plan(backbone, own)

    def drop(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        together = tokens.reshape(packs, -1, tokens.shape[-1])  # (R, images * N, C)
        return together.index_select(1, (~packed).nonzero().flatten())

    def put_back(_module: nn.Module, _args: Any, tokens: Tensor) -> Tensor:
        token = mask_token.to(tokens.dtype).expand(packs, 1, -1)
        filled = torch.cat([tokens, token], dim=1).index_select(1, last)
        return filled.view(len(mask), -1, tokens.shape[-1])  # (B, h * w, C)

    norm = getattr(backbone, f"norm{backbone.num_layers - 1}")
    handles = [
        backbone.patch_embed.register_forward_hook(grid_check_hook(mask)),
        backbone.drop_after_pos.register_forward_hook(drop),
        norm.register_forward_hook(put_back),
    ]
    for module, forward in forwards.items():
        vars(module)["forward"] = forward
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module in forwards:
            del vars(module)["forward"]


def _plan(backbone: Any, mask: Tensor) -> tuple[dict[nn.Module, Callable[..., Any]], Tensor]:
    """Forwards of attention and merging, and for each last position its token or T."""
    device = mask.device
    image, row, column = (~mask).cpu().nonzero(as_tuple=True)
    places, grid = Places(image, row, column), (mask.shape[1], mask.shape[2])
    forwards: dict[nn.Module, Callable[..., Any]] = {}
    for stage in backbone.stages:
        groupings: dict[int, Grouping] = {}
        for block in stage.blocks:
            shift = shift_of(block.attn, grid)
            if shift not in groupings:
                made = group(places, grid, block.attn, shift)
                groupings[shift] = Grouping(**{k: v.to(device) for k, v in vars(made).items()})
            forwards[block.attn] = _attention(block.attn, groupings[shift])
        if stage.downsample is not None:
            order, places = _merge(places, grid)
            grid = (grid[0] // MERGED, grid[1] // MERGED)
            forwards[stage.downsample] = _merging(stage.downsample, order.to(device), grid)
    position = (places.image * grid[0] + places.row) * grid[1] + places.column
    last = torch.full((len(mask) * grid[0] * grid[1],), len(position))
    last[position] = torch.arange(len(position))
    return forwards, last.to(device)


def _attention(attention: Any, groups: Grouping) -> Callable[..., Tensor]:
    def forward(tokens: Tensor, _grid: Any) -> Tensor:
        return attend(attention, tokens, groups)

    return forward


def _merging(merging: Any, order: Tensor, grid: tuple[int, int]) -> Callable[..., Any]:
    def forward(tokens: Tensor, _grid: Any) -> tuple[Tensor, tuple[int, int]]:
        cells = tokens.index_select(1, order).unflatten(1, (-1, MERGED**2))
        cells = cells.transpose(2, 3).flatten(2)  # channels first, as nn.Unfold has them
        return merging.reduction(merging.norm(cells)), grid

    return forward


def _merge(places: Places, grid: tuple[int, int]) -> tuple[Tensor, Places]:
    """Order in which four tokens each are one cell, row by row, and the places of the cells."""
    row, column = places.row // MERGED, places.column // MERGED
    cell = (places.image * grid[0] + row) * grid[1] + column
    child = places.row % MERGED * MERGED + places.column % MERGED
    order = (cell * MERGED**2 + child).argsort()
    first = order[:: MERGED**2]
    return order, Places(places.image[first], row[first], column[first])


def _check_whole_cells(backbone: Any, mask: Tensor) -> None:
    merges = [stage.downsample for stage in backbone.stages if stage.downsample is not None]
    if any(tuple(merge.sampler.kernel_size) != (MERGED, MERGED) for merge in merges):
        raise ValueError("a sparse Swin must merge 2 x 2 patches; leave downsample_cfg unset")
    side = MERGED ** len(merges)
    stride = side * int(backbone.patch_embed.projection.stride[0])
    mask_of_cells(mask, side, stride=stride, backbone="Swin")


def check_swin(adapter: BackboneAdapter) -> None:
    """See ``VisibleEncoder.check``: the last level alone is returned, without drop path."""
    check_last_level(adapter)
    if any(float(getattr(module, "drop_prob", 0.0)) for module in adapter.backbone.modules()):
        raise BenchError(
            "a sparse Swin packs the tokens of all images, and drop path would drop them together; "
            "set drop_path_rate=0.0, as SimMIM pretrains Swin"
        )


VISIBLE_SWIN = VisibleEncoder(check=check_swin, run=visible_swin)
