"""Attention weights of a backbone, captured with hooks, and attention distance.

Window and BEiT attention of mmpretrain pass their weights through a dropout module, where a hook
sees them after softmax, position bias and window mask. Plain attention calls the fused kernel of
torch, which returns no weights; they are computed again from the output of ``qkv``.

Attention distance is the mean distance between the centres of the patches of a query and a key,
weighted by attention (Raghu et al. 2021, https://arxiv.org/abs/2108.08810, section 4; for masked
image modelling Xie et al. 2022, https://arxiv.org/abs/2205.13543, section 3.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from mmpretrain.models.utils.attention import (
    BEiTAttention,
    MultiheadAttention,
    ShiftWindowMSA,
    WindowMSA,
    WindowMSAV2,
)
from torch import Tensor, nn

from simmim_bench.backbones.outputs import extra_tokens

WITH_WEIGHTS = (WindowMSA, WindowMSAV2, BEiTAttention)

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Attention:
    """Weights of one attention layer for one batch.

    Args:
        layer: Name of the attention module in the backbone.
        weights: (B', heads, N, N), queries before keys; B' is images, or windows of all images.
            Tokens without a position, such as the class token, are left out.
        rows: Positions down, of the image or of a window.
        columns: Positions across; N = rows * columns.
        pixels: Side of a patch in pixels of the image.
        real: Bool, (B', N); False for padding.
    """

    layer: str
    weights: Tensor
    rows: int
    columns: int
    pixels: float
    real: Tensor


def has_attention(backbone: nn.Module) -> bool:
    """Whether ``captured`` finds attention in ``backbone``."""
    known = (*WITH_WEIGHTS, MultiheadAttention)
    return any(isinstance(module, known) for module in backbone.modules())


@contextmanager
def captured(backbone: Any) -> Iterator[list[Attention]]:
    """In the context, ``backbone(images)`` appends the attention of each layer to the list.

    Args:
        backbone: Swin, Swin V2, BEiT-style or plain ViT of mmpretrain, in evaluation mode.
    """
    state = _State(extra=extra_tokens(backbone))
    with ExitStack() as stack:

        def watch(module: Any, hook: Any, *, before: bool = False) -> None:
            add = module.register_forward_pre_hook if before else module.register_forward_hook
            stack.callback(add(hook).remove)

        watch(backbone, state.note_image, before=True)
        watch(backbone.patch_embed, state.note_grid)
        for name, module in backbone.named_modules():
            if isinstance(module, ShiftWindowMSA):
                watch(module, state.note_stage, before=True)
            elif isinstance(module, WITH_WEIGHTS):
                watch(module, state.note_tokens, before=True)
                watch(module.attn_drop, partial(state.take_weights, name, module), before=True)
            elif isinstance(module, MultiheadAttention):
                watch(module, state.note_tokens, before=True)
                watch(module.qkv, partial(state.take_projections, name, module))
        yield state.found


def grid_distances(rows: int, columns: int, pixels: float) -> Array:
    """Distances between all positions of a grid.

    Args:
        rows: Positions down.
        columns: Positions across.
        pixels: Side of a patch in pixels.

    Returns:
        (rows * columns, rows * columns), float64, in pixels, row-major.
    """
    places = np.indices((rows, columns)).reshape(2, -1).T * float(pixels)
    return np.linalg.norm(places[:, None] - places[None], axis=-1)


def summed_distance(weights: Array, distances: Array, real: Array) -> tuple[Array, int]:
    """Attention distance of each head, summed over queries.

    Args:
        weights: Attention, (B, heads, N, N), queries before keys. Rows need not sum to 1:
            weights of padding are left out, and the others are scaled to sum to 1.
        distances: (N, N), pixels.
        real: Bool, (B, N); False for padding, which is neither query nor key.

    Returns:
        (heads,), float64, pixels, and the number of queries in the sum.
    """
    kept = weights.astype(np.float64) * real[:, None, None, :]
    total = kept.sum(axis=-1)  # (B, heads, N)
    far = np.einsum("bhqk,qk->bhq", kept, distances)
    each = np.divide(far, total, out=np.zeros_like(far), where=total > 0)
    return (each * real[:, None]).sum(axis=(0, 2)), int(real.sum())


@dataclass
class _State:
    """What the hooks have recorded."""

    extra: int
    found: list[Attention] = field(default_factory=list)
    image_rows: int = 0
    grid: tuple[int, int] = (0, 0)
    real: Tensor | None = None

    def note_image(self, _module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.image_rows = args[0].shape[2]

    def note_grid(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Any]) -> None:
        rows, columns = output[1]
        self.grid = int(rows), int(columns)

    def note_stage(self, _module: nn.Module, args: tuple[Any, ...]) -> None:
        """The grid of Swin shrinks from stage to stage."""
        rows, columns = args[1]
        self.grid = int(rows), int(columns)

    def note_tokens(self, _module: nn.Module, args: tuple[Tensor, ...]) -> None:
        """Padding of windows is exactly 0; tokens are not, after normalisation."""
        self.real = (args[0] != 0).any(dim=-1)

    def take_weights(
        self, name: str, attention: Any, _module: nn.Module, args: tuple[Tensor, ...]
    ) -> None:
        windowed = isinstance(attention, WindowMSA | WindowMSAV2)
        self._take(name, args[0], attention.window_size if windowed else None)

    def take_projections(
        self, name: str, attention: Any, _module: nn.Module, _args: Any, output: Tensor
    ) -> None:
        heads = output.unflatten(-1, (3, attention.num_heads, attention.head_dims))
        queries, keys, _ = heads.permute(2, 0, 3, 1, 4)  # each (B, heads, N, channels)
        logits = queries @ keys.transpose(-2, -1) * attention.head_dims**-0.5
        self._take(name, logits.softmax(dim=-1), None)

    def _take(self, name: str, weights: Tensor, window: tuple[int, int] | None) -> None:
        if self.real is None:
            raise RuntimeError(f"{name} computed attention before its input was recorded")
        if window is None:
            weights = weights[:, :, self.extra :, self.extra :]
            self.real = self.real[:, self.extra :]
            window = self._window(weights.shape[-1])
        pixels = self.image_rows / self.grid[0]
        taken = Attention(name, weights.detach(), *window, pixels, self.real)
        self.found.append(taken)

    def _window(self, tokens: int) -> tuple[int, int]:
        """The whole grid, or the square window of a block that attends within windows."""
        if tokens == self.grid[0] * self.grid[1]:
            return self.grid
        side = round(tokens**0.5)
        return side, side
