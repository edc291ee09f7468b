"""Which windows share an attention group, by dynamic programming (GreenMIM, section 3.2).

Paper: https://arxiv.org/abs/2205.13515. Windows with few visible tokens are put together into
groups of one size, so that attention is one batched product. Filling a group is a knapsack problem
(subset sum); filling group after group is the paper's greedy for its multiple-knapsack problem.

Two things differ from the paper's algorithm. Each group starts with the largest window that is
left (it must be in some group), and among equally full groups the one with larger windows is
taken; both leave easier windows for later. Projections are computed before grouping, so what a
grouping costs is its score matrices only, groups * size ** 2.

Reference: https://github.com/LayneH/GreenMIM/blob/master/modeling/group_window_attention.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


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
