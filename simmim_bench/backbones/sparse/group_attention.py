"""Swin's window attention for visible tokens, in groups of windows (GreenMIM, section 3.1).

Paper: https://arxiv.org/abs/2205.13515. The parameters are those of the ``ShiftWindowMSA`` it is
called with; the result is that of dense window attention in which masked keys are forbidden.

Windows with few visible tokens share a group (section 3.2), so that attention is one batched
product. Filling a group is a knapsack problem (subset sum), solved by dynamic programming; filling
group after group is the paper's greedy solution of its multiple-knapsack problem. Two things differ
from the paper. Each group starts with the largest window that is left (it must be in some group),
and among equally full groups the one with larger windows is taken; both leave easier windows for
later. Projections are computed before grouping, so a grouping costs only its score matrices,
groups * size ** 2.

Reference: https://github.com/LayneH/GreenMIM/blob/master/modeling/group_window_attention.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, pad


@dataclass(frozen=True)
class Places:
    """Where packed visible tokens come from; each field is Long, (T,).

    Args:
        image: Index of the image.
        row: Row in the grid of the stage.
        column: Column in the grid of the stage.
    """

    image: Tensor
    row: Tensor
    column: Tensor


@dataclass(frozen=True)
class Grouping:
    """Groups of T packed tokens: G groups of g places.

    Args:
        source: Long, (G * g,); the token at each place, T where there is none.
        apart: Bool, (G, 1, g, g); True where query and key are of different windows.
        pair: Long, (G, g, g); row of the position bias table for query and key.
        target: Long, (T,); the place of each token.
    """

    source: Tensor
    apart: Tensor
    pair: Tensor
    target: Tensor


def group(places: Places, grid: tuple[int, int], attention: Any, shift: int) -> Grouping:
    """Group the windows of one stage.

    A cyclic shift with its attention mask is the same as smaller windows at the border, so no
    token is moved. Where dense Swin pads the map up to whole windows, its zero tokens are keys;
    they are so here, too, in windows with a visible token.

    Args:
        places: Visible tokens; at least one.
        grid: Rows and columns of the stage.
        attention: ``ShiftWindowMSA`` of the stage, for window size and position index.
        shift: Tokens by which windows are shifted.
    """
    window, count = attention.window_size, len(places.image)
    padded = (-(-grid[0] // window) * window, -(-grid[1] // window) * window)
    if padded != grid:
        places = _with_padding(places, grid, padded)
    row, column = places.row + window - shift, places.column + window - shift
    across = padded[1] // window + 1
    down = padded[0] // window + 1
    owner = (places.image * down + row // window) * across + column // window
    inside = (row % window) * window + column % window
    _, owner, sizes = torch.unique(owner, return_inverse=True, return_counts=True)
    if padded != grid:  # windows of padding alone have no query
        used = torch.zeros_like(sizes, dtype=torch.bool)
        used[owner[:count]] = True
        keep = used[owner]
        inside, owner = inside[keep], (used.cumsum(0) - 1)[owner[keep]]
        sizes = sizes[used]
    place, size, groups = _arrange(owner, sizes)

    def spread(values: Tensor, fill: int) -> Tensor:
        filled = values.new_full((groups * size,), fill)
        filled[place] = values
        return filled.view(groups, size)

    tokens = torch.arange(len(owner)).clamp(max=count)  # padding reads the zero token, too
    members, positions = spread(owner, -1), spread(inside, 0)
    index = attention.w_msa.relative_position_index.cpu()
    return Grouping(
        source=spread(tokens, count).flatten(),
        apart=(members.unsqueeze(2) != members.unsqueeze(1)).unsqueeze(1),
        pair=index[positions.unsqueeze(2), positions.unsqueeze(1)],
        target=place[:count],
    )


def attend(attention: Any, tokens: Tensor, groups: Grouping) -> Tensor:
    """Window attention of ``ShiftWindowMSA`` on visible tokens.

    Args:
        attention: ``ShiftWindowMSA``.
        tokens: (R, T, C); R batches of tokens at the same places.
        groups: Of these places.

    Returns:
        (R, T, C).
    """
    inner = attention.w_msa
    repeats, _, channels = tokens.shape
    count, size = groups.pair.shape[:2]
    heads = inner.num_heads
    qkv = inner.qkv(pad(tokens, (0, 0, 0, 1)))  # a zero token at the end
    qkv = qkv.index_select(1, groups.source).view(repeats, count, size, 3, heads, -1)
    query, key, value = qkv.permute(3, 0, 1, 4, 2, 5)  # each (R, G, heads, g, C / heads)
    bias = embedding(groups.pair, inner.relative_position_bias_table)  # (G, g, g, heads)
    bias = bias.permute(0, 3, 1, 2).masked_fill(groups.apart, float("-inf"))
    scores = (query * inner.scale) @ key.transpose(-2, -1) + bias
    mixed = inner.attn_drop(inner.softmax(scores)) @ value
    mixed = mixed.transpose(2, 3).reshape(repeats, count * size, channels)
    mixed = inner.proj_drop(inner.proj(mixed.index_select(1, groups.target)))
    return attention.drop(mixed)


def _with_padding(places: Places, grid: tuple[int, int], padded: tuple[int, int]) -> Places:
    """Add the positions of ``padded`` outside of ``grid``, for every image."""
    outside = torch.ones(padded, dtype=torch.bool)
    outside[: grid[0], : grid[1]] = False
    row, column = outside.nonzero(as_tuple=True)
    images = int(places.image.max()) + 1
    return Places(
        image=torch.cat([places.image, torch.arange(images).repeat_interleave(len(row))]),
        row=torch.cat([places.row, row.repeat(images)]),
        column=torch.cat([places.column, column.repeat(images)]),
    )


def _arrange(owner: Tensor, sizes: Tensor) -> tuple[Tensor, int, int]:
    """Place of every token, Long (n,), the group size, and the number of groups.

    Args:
        owner: Window of every token, Long, (n,).
        sizes: Tokens of every window, Long.
    """
    size, groups = best_groups(sizes.tolist())
    start = torch.empty_like(sizes)  # of each window, counted over all groups
    for number, members in enumerate(groups):
        window = torch.tensor(members)
        start[window] = number * size + sizes[window].cumsum(0) - sizes[window]
    order = owner.argsort(stable=True)
    first = sizes.cumsum(0) - sizes
    rank = torch.arange(len(owner)) - first[owner[order]]  # of each token in its window
    place = torch.empty_like(owner)
    place[order] = start[owner[order]] + rank
    return place, size, len(groups)


def best_groups(counts: Sequence[int]) -> tuple[int, list[list[int]]]:
    """Group size with the fewest score entries, and its groups.

    Args:
        counts: Tokens of each window, at least 1; at least one window.

    Returns:
        Group size g, and the indices of the windows of each group; no group has more than g
        tokens.
    """
    total, size = sum(counts), max(counts)
    best, groups = size, group_windows(counts, size)
    # groups * size >= total, so a size with total * size >= the best cost is no better
    while total * (size + 1) < len(groups) * best**2:
        size += 1
        candidate = group_windows(counts, size)
        if len(candidate) * size**2 < len(groups) * best**2:
            best, groups = size, candidate
    return best, groups


def group_windows(counts: Sequence[int], size: int) -> list[list[int]]:
    """Put windows into groups of at most ``size`` tokens, each as full as the rest allows.

    Args:
        counts: Tokens of each window, 1 to ``size``.
        size: Tokens that a group can hold.

    Returns:
        Indices of the windows of each group.

    Raises:
        ValueError: If a window is larger than a group, or empty.
    """
    if not all(0 < count <= size for count in counts):
        raise ValueError(
            f"windows of {min(counts)} to {max(counts)} tokens do not fit groups of {size}; use "
            f"windows of at least 1 token and groups of at least {max(counts)}"
        )
    windows: dict[int, list[int]] = {}
    for index, count in enumerate(counts):
        windows.setdefault(count, []).append(index)
    left = Counter(counts)
    groups = []
    while left:
        largest = max(left)
        rest = left - Counter([largest])
        members = Counter([largest, *fullest(rest, size - largest)])
        # what was best stays best as long as enough windows of its sizes are left
        for _ in range(min(left[count] // needed for count, needed in members.items())):
            groups.append([windows[count].pop() for count in members.elements()])
            left -= members
    return groups


def fullest(available: Counter[int], room: int) -> list[int]:
    """Sizes, out of a multiset, whose sum comes closest to ``room`` from below.

    The table of the knapsack is an integer: bit n says that a sum of n can be reached.
    """
    reachable, steps = 1, []
    for size in sorted((size for size in available if size <= room), reverse=True):
        for _ in range(min(available[size], room // size)):
            steps.append((size, reachable))
            reachable |= (reachable << size) & ((2 << room) - 1)
    total, taken = reachable.bit_length() - 1, []
    for size, before in reversed(steps):  # small ones first: they are taken only where needed
        if not before >> total & 1:
            taken.append(size)
            total -= size
    return taken
