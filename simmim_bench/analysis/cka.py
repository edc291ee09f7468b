"""Linear centred kernel alignment (CKA), debiased.

CKA: Kornblith et al. 2019 (https://arxiv.org/abs/1905.00414), section 3. The plain estimate is high
for any two layers with more channels than images, also for random ones, so HSIC is taken by its
unbiased estimate (Song et al. 2012, theorem 2), as in Nguyen et al. 2021
(https://arxiv.org/abs/2010.15327), appendix A. All images are one batch: with a few hundred the
Gram matrices fit into memory, and no average over minibatches is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST = 4  # rows that the unbiased estimate needs


def aligned(first: Sequence[Array], second: Sequence[Array]) -> Array:
    """CKA of each layer of one model with each layer of another, over the same images.

    Args:
        first: Features of each layer, (n, channels), row i of all from image i.
        second: Same for the other model.

    Returns:
        (len(first), len(second)), float64, at most 1; it may be slightly below 0 for unrelated
        layers, and is NaN for a layer whose features are all equal.

    Raises:
        ValueError: If there are fewer than 4 images, or not the same number everywhere.
    """
    counts = {len(features) for features in (*first, *second)}
    if len(counts) != 1 or min(counts) < FEWEST:
        raise ValueError(
            f"CKA compares the same images in all layers, at least {FEWEST}; found {sorted(counts)}"
        )
    return _unit_grams(first) @ _unit_grams(second).T


def _unit_grams(layers: Sequence[Array]) -> Array:
    """U-centred Gram matrices of length 1, (layers, n * n): products of them are CKA."""
    grams = np.stack([_u_centred(features).ravel() for features in layers])
    lengths = np.linalg.norm(grams, axis=1, keepdims=True)
    return np.divide(grams, lengths, out=np.full_like(grams, np.nan), where=lengths > 0)


def _u_centred(features: Array) -> Array:
    """Gram matrix, centred so that products, divided by n (n - 3), are unbiased HSIC.

    Székely and Rizzo 2014 (https://arxiv.org/abs/1310.2926), definition 2; equal to Song's formula.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    gram = centred @ centred.T
    np.fill_diagonal(gram, 0.0)
    n, rows = len(gram), gram.sum(axis=0)
    gram = gram - (rows[:, None] + rows) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(gram, 0.0)
    return gram
