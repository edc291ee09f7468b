"""Attention modules of mmpretrain that compute the same with fewer copies.

``speed_up`` changes the class of the attention modules of a built model; parameters, buffers, keys
and hooks stay. What is saved, as measured in benchmarks/notes.md:

- windows are padded, shifted and cut by one gather with a cached order of the tokens, where
  mmpretrain copies the map three times, and puts them back by another, where it copies twice;
- queries, keys and values are unbound, so that the backward pass stacks their gradients, where
  indexing fills and adds three tensors of the size of all of them;
- forbidden keys of a shifted window get a bias of minus infinity, where -100 leaves attention
  weights of 1e-44: a CPU multiplies such denormal numbers 40 times more slowly. The result in
  float32 is the same as long as scores of a query differ by less than 80.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from mmcv.cnn.bricks import DropPath
from mmpretrain.models.utils.attention import BEiTAttention, ShiftWindowMSA, WindowMSA
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import linear

Places = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
REMEMBERED = 64  # sizes; a map of 128 x 128 tokens takes 0.3 MB


def speed_up(model: nn.Module) -> None:
    """Replace the attention modules of Swin, Swin V2 and BEiT-style ViTs, anywhere in a model.

    Subclasses of mmpretrain's classes stay as they are. Rates of drop path become floats: those of
    mmpretrain's ViTs are NumPy scalars, which break the graph of ``torch.compile`` in each block.

    Args:
        model: Any model; changed in place.
    """
    for module in model.modules():
        if type(module) in FASTER:
            module.__class__ = FASTER[type(module)]
        if isinstance(module, DropPath):
            module.drop_prob = float(module.drop_prob)


class FastShiftWindowMSA(ShiftWindowMSA):
    """``ShiftWindowMSA`` that moves every token once before attention, and once after."""

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend within shifted windows.

        Args:
            query: Tokens, (B, H * W, C).
            hw_shape: H and W.

        Returns:
            (B, H * W, C).

        Raises:
            ValueError: If there are not H * W tokens, or the map is smaller than a window and
                ``pad_small_map`` is False.
        """
        rows, columns = int(hw_shape[0]), int(hw_shape[1])
        if query.shape[1] != rows * columns:
            raise ValueError(f"got {query.shape[1]} tokens for a map of {rows} x {columns}")
        shift, window = shift_of(self, (rows, columns)), self.window_size
        order, places, outside, kinds, apart = windows_of(
            rows, columns, window, shift, query.device
        )
        # (B * windows, window ** 2, C)
        windows = _Cut.apply(query, order, places, outside).view(-1, window**2, query.shape[2])
        mask = apart.index_select(0, kinds) if shift else None  # (windows, window ** 2, same)
        attended = self.w_msa(windows, mask=mask).view(len(query), -1, query.shape[2])
        return self.drop(_Join.apply(attended, order, places, outside))


class FastWindowMSA(WindowMSA):
    """``WindowMSA`` with fewer copies of queries, keys, values and scores."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: Tokens of windows, (B * windows, N, C).
            mask: Added to the scores, (windows, N, N), or None.

        Returns:
            (B * windows, N, C).
        """
        query, key, value = _heads(self.qkv(x), self.num_heads)
        scores = (query * self.scale) @ key.transpose(-2, -1)  # (B * windows, heads, N, N)
        bias = _position_bias(self)
        if mask is None:
            scores = scores + bias
        else:
            bias = bias + mask.unsqueeze(1)  # (windows, heads, N, N)
            scores = (scores.unflatten(0, (-1, len(mask))) + bias).flatten(0, 1)
        mixed = self.attn_drop(self.softmax(scores)) @ value
        return self.proj_drop(self.proj(mixed.transpose(1, 2).flatten(2)))


class FastBEiTAttention(BEiTAttention):
    """``BEiTAttention`` with fewer copies of queries, keys and values."""

    def forward(self, x: Tensor, rel_pos_bias: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: Tokens, (B, N, C).
            rel_pos_bias: Position bias that the blocks share, (heads, N, N), or None.

        Returns:
            (B, N, C).
        """
        query, key, value = _heads(_projected(self, x), self.num_heads)
        scores = (query * self.scale) @ key.transpose(-2, -1)  # (B, heads, N, N)
        if self.relative_position_bias_table is not None:
            scores = scores + _position_bias(self)
        if rel_pos_bias is not None:
            scores = scores + rel_pos_bias
        mixed = self.attn_drop(scores.softmax(dim=-1)) @ value
        return self.proj_drop(self.proj(mixed.transpose(1, 2).flatten(2)))


FASTER: dict[type[nn.Module], type[nn.Module]] = {
    ShiftWindowMSA: FastShiftWindowMSA,
    WindowMSA: FastWindowMSA,
    BEiTAttention: FastBEiTAttention,
}


def shift_of(attention: Any, grid: tuple[int, int]) -> int:
    """Tokens by which ``ShiftWindowMSA`` shifts windows on a grid; its rules for small maps.

    Args:
        attention: A ``ShiftWindowMSA``.
        grid: Rows and columns of tokens.

    Raises:
        ValueError: If the map is smaller than a window and ``pad_small_map`` is False.
    """
    smallest, window = min(grid), attention.window_size
    if smallest < window and not attention.pad_small_map:
        raise ValueError(
            f"a map of {grid[0]} x {grid[1]} is smaller than the window {window}; use larger "
            f"images, a smaller window_size or pad_small_map=True"
        )
    whole = smallest == window and not attention.pad_small_map
    return 0 if whole else int(attention.shift_size)


@torch.compiler.assume_constant_result
def windows_of(rows: int, columns: int, window: int, shift: int, device: torch.device) -> Places:
    """``_windows_of``, which torch.compile takes as a constant."""
    return _windows_of(rows, columns, window, shift, device)


@lru_cache(REMEMBERED)
@torch.inference_mode(False)  # so that tensors made in evaluation can be used in training
def _windows_of(rows: int, columns: int, window: int, shift: int, device: torch.device) -> Places:
    """Where tokens of a map go when it is padded to whole windows, shifted and cut.

    Returns:
        order: Long, (windows * window ** 2,); the token at each place, 0 where there is padding.
        places: Long, (rows * columns,); the place of each token.
        outside: Long; places of padding.
        kinds: Long, (windows,); the entry of ``apart`` that each window has.
        apart: Float, (4, window ** 2, window ** 2); minus infinity for query and key of different
            sides of the map, 0 otherwise. The windows: inner, last column, last row, both.
    """
    down, across = -(-rows // window), -(-columns // window)
    tokens = torch.full((down * window, across * window), -1)
    tokens[:rows, :columns] = torch.arange(rows * columns).view(rows, columns)
    shifted = tokens.roll((-shift, -shift), (0, 1)).unflatten(1, (across, window))
    order = shifted.unflatten(0, (down, window)).transpose(1, 2).flatten()
    outside = order < 0
    places = torch.empty(rows * columns, dtype=torch.int64)
    places[order[~outside]] = (~outside).nonzero().flatten()
    last_row, last_column = torch.arange(down) == down - 1, torch.arange(across) == across - 1
    kinds = (2 * last_row.unsqueeze(1) + last_column).flatten()
    moved = torch.arange(window) >= window - shift  # rows or columns from the other side
    row, column = moved.repeat_interleave(window), moved.repeat(window)
    rows_apart = row.unsqueeze(1) != row
    columns_apart = column.unsqueeze(1) != column
    nowhere = torch.zeros_like(rows_apart)
    apart = torch.stack([nowhere, columns_apart, rows_apart, rows_apart | columns_apart])
    bias = torch.zeros(apart.shape).masked_fill(apart, float("-inf"))
    found = order.clamp(min=0), places, outside.nonzero().flatten(), kinds, bias
    return tuple(tensor.to(device) for tensor in found)


class _Cut(Function):
    """Tokens, (B, rows * columns, C), to places in windows, (B, windows * window ** 2, C)."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, order: Tensor, places: Tensor, outside: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        return _cut(tokens, order, outside)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (places,) = ctx.saved_tensors
        return grad.index_select(1, places), None, None, None


class _Join(Function):
    """Places in windows, (B, windows * window ** 2, C), to tokens, (B, rows * columns, C)."""

    @staticmethod
    def forward(
        ctx: Any, windows: Tensor, order: Tensor, places: Tensor, outside: Tensor
    ) -> Tensor:
        ctx.save_for_backward(order, outside)
        return windows.index_select(1, places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return _cut(grad, *ctx.saved_tensors), None, None, None


def _cut(tokens: Tensor, order: Tensor, outside: Tensor) -> Tensor:
    """A gather, the inverse of which is a gather, too; the backward of torch's would add."""
    windows = tokens.index_select(1, order)
    return windows.index_fill_(1, outside, 0) if len(outside) else windows


def _heads(joined: Tensor, heads: int) -> tuple[Tensor, ...]:
    """(B, N, 3 * C) -> queries, keys and values, (B, heads, N, C / heads)."""
    parts = joined.unflatten(2, (3, heads, -1)).unbind(2)
    return tuple(part.transpose(1, 2) for part in parts)


def _position_bias(attention: Any) -> Tensor:
    """Position bias of a ``WindowMSA`` or ``BEiTAttention``, (heads, N, N)."""
    index = attention.relative_position_index
    pairs = attention.relative_position_bias_table[index.flatten()]
    return pairs.view(*index.shape, -1).permute(2, 0, 1).contiguous()


def _projected(attention: Any, tokens: Tensor) -> Tensor:
    """Queries, keys and values of a ``BEiTAttention``, (B, N, 3 * C)."""
    if attention.bias != "qv_bias":
        return attention.qkv(tokens)
    none = torch.zeros_like(attention.v_bias, requires_grad=False)  # keys have no bias
    bias = torch.cat((attention.q_bias, none, attention.v_bias))
    return linear(tokens, attention.qkv.weight, bias)
