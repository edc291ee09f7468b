"""Attention distance: how far a head looks, in pixels.

Raghu et al. 2021 (https://arxiv.org/abs/2108.08810), section 4, and for masked image modelling Xie
et al. 2022 (https://arxiv.org/abs/2205.13543), section 3.1: the distance between the centres of a
query's and a key's patch, weighted by attention, averaged over queries and images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def grid_distances(rows: int, columns: int, pixels: float) -> Array:
    """Distances between all positions of a grid.

    Args:
        rows: Positions down.
        columns: Positions across.
        pixels: Side of a position in pixels.

    Returns:
        (rows * columns, rows * columns), float64, in pixels, row-major.
    """
    places = np.indices((rows, columns)).reshape(2, -1).T * float(pixels)
    return np.linalg.norm(places[:, None] - places[None], axis=-1)


def summed_distance(weights: Array, distances: Array, real: Array) -> tuple[Array, int]:
    """Attention distance of each head, summed over queries.

    Args:
        weights: Attention, (B, heads, N, N), queries before keys. Rows need not sum to 1: weight on
            what has no place (a class token, padding) is left out and the rest scaled to 1.
        distances: (N, N), pixels.
        real: Bool, (B, N); False for padding, which neither asks nor answers.

    Returns:
        (heads,), float64, pixels, and the number of queries in the sum.
    """
    kept = weights.astype(np.float64) * real[:, None, None, :]
    total = kept.sum(axis=-1)  # (B, heads, N)
    far = np.einsum("bhqk,qk->bhq", kept, distances)
    each = np.divide(far, total, out=np.zeros_like(far), where=total > 0)
    return (each * real[:, None]).sum(axis=(0, 2)), int(real.sum())
