"""Measures of features: similarity of layers (CKA), effective rank, and neighbourhoods (t-SNE).

Linear CKA: Kornblith et al. 2019 (https://arxiv.org/abs/1905.00414), section 3, with the unbiased
estimate of HSIC (Song et al. 2012, theorem 2), as in Nguyen et al. 2021
(https://arxiv.org/abs/2010.15327), appendix A. The biased estimate is high for any two layers with
more channels than images. All images are one batch, as the Gram matrices of a few hundred fit into
memory.

Effective rank: Roy and Vetterli 2007 (EUSIPCO), section 2. t-SNE: van der Maaten and Hinton 2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST_CKA = 4  # images that the unbiased estimate needs

PERPLEXITY = 30.0  # scikit-learn's and the paper's usual value
FEWEST_TSNE = 10


def aligned(first: Sequence[Array], second: Sequence[Array]) -> Array:
    """CKA of each layer of one model with each layer of another, over the same images.

    Args:
        first: Features of each layer, (n, channels); row i is image i.
        second: The same for the other model.

    Returns:
        (len(first), len(second)), float64, at most 1; may be slightly below 0 for unrelated
        layers; NaN if all features of a layer are equal.

    Raises:
        ValueError: If there are fewer than 4 images, or layers have different numbers of them.
    """
    counts = {len(features) for features in (*first, *second)}
    if len(counts) != 1 or min(counts) < FEWEST_CKA:
        raise ValueError(
            f"CKA needs the same {FEWEST_CKA} or more images for all layers, got {sorted(counts)}"
        )
    return _unit_grams(first) @ _unit_grams(second).T


def effective_rank(features: Array) -> float:
    """Exponential of the entropy of the singular values of centred features.

    With p_i the singular values divided by their sum: exp(-sum p_i ln p_i).

    Args:
        features: (n, channels), one row per image.

    Returns:
        1 (one direction) to ``most_rank(features)`` (all the same); 0 if all rows are equal.

    Raises:
        ValueError: If there are fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"effective rank needs 2 or more images, got {len(features)}")
    exact = features.astype(np.float64)
    values = np.linalg.svd(exact - exact.mean(axis=0), compute_uv=False)
    if values.sum() <= np.abs(exact).max(initial=0.0) * len(exact) * np.finfo(np.float64).eps:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def most_rank(features: Array) -> int:
    """Largest possible rank of centred features (n, channels): min(channels, n - 1)."""
    return min(features.shape[1], len(features) - 1)


def neighbourhoods(features: Array, *, seed: int) -> Array:
    """t-SNE of features of unit length, by their Euclidean distances.

    Args:
        features: (n, channels), n at least 10.
        seed: Seed of the optimisation, which starts from the principal components.

    Returns:
        (n, 2), float32. Distances between distant clusters have no meaning.

    Raises:
        ValueError: If there are fewer than 10 images.
    """
    from sklearn.manifold import TSNE

    if len(features) < FEWEST_TSNE:
        raise ValueError(f"t-SNE needs {FEWEST_TSNE} or more images, got {len(features)}")
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    places: Array = reduction.fit_transform(unit_length(features))
    return places


def nearest_alike(features: Array, classes: list[str]) -> float:
    """Percentage of images whose nearest neighbour, by cosine, has the same class.

    Args:
        features: (n, channels).
        classes: Class of each image.
    """
    unit = unit_length(features)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    known = np.asarray(classes)
    return 100 * float((known[similarity.argmax(axis=1)] == known).mean())


def unit_length(features: Array) -> Array:
    """Scale rows to length 1, as k-NN does; rows of zeros do not change."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Array = features / np.where(lengths > 0, lengths, 1)
    return unit


def _unit_grams(layers: Sequence[Array]) -> Array:
    """U-centred Gram matrices of norm 1, (layers, n * n), whose dot products are CKA."""
    grams = np.stack([_u_centred(features).ravel() for features in layers])
    lengths = np.linalg.norm(grams, axis=1, keepdims=True)
    return np.divide(grams, lengths, out=np.full_like(grams, np.nan), where=lengths > 0)


def _u_centred(features: Array) -> Array:
    """Gram matrix, centred so that dot products divided by n (n - 3) are unbiased HSIC.

    Székely and Rizzo 2014 (https://arxiv.org/abs/1310.2926), definition 2; equal to Song's formula.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    gram = centred @ centred.T
    np.fill_diagonal(gram, 0.0)
    n, rows = len(gram), gram.sum(axis=0)
    gram = gram - (rows[:, None] + rows) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(gram, 0.0)
    return gram
