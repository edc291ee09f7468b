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


# Effective rank: how many directions features use (Roy and Vetterli 2007, EUSIPCO, section 2).


def effective_rank(features: np.ndarray[Any, np.dtype[Any]]) -> float:
    """Exponential of the entropy of the singular values of centred features.

    With p_i the singular values divided by their sum: exp(-sum p_i ln p_i).

    Args:
        features: (n, channels), one row per image.

    Returns:
        From 1 (one direction) to ``most_rank(features)`` (all alike); 0 if all rows are equal.

    Raises:
        ValueError: If there are fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"effective rank of {len(features)} image; give at least two")
    exact = features.astype(np.float64)
    values = np.linalg.svd(exact - exact.mean(axis=0), compute_uv=False)
    if values.sum() <= np.abs(exact).max(initial=0.0) * len(exact) * np.finfo(np.float64).eps:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def most_rank(features: np.ndarray[Any, np.dtype[Any]]) -> int:
    """Largest rank of (n, channels) centred features: channels, or n - 1 where that is less."""
    return min(features.shape[1], len(features) - 1)


# t-SNE of features: which images a model takes for alike (van der Maaten and Hinton 2008).


Array_of_neighbourhoods = np.ndarray[Any, np.dtype[Any]]
PERPLEXITY = 30.0  # scikit-learn's and the paper's usual value
FEWEST_NEIGHBOURHOODS = 10


def neighbourhoods(features: Array_of_neighbourhoods, *, seed: int) -> Array_of_neighbourhoods:
    """Places in the plane, by Euclidean distances between features of unit length.

    Args:
        features: (n, channels), n at least 10.
        seed: Of the optimisation, which starts from the principal components.

    Returns:
        (n, 2), float32. Distances between far clusters mean nothing.

    Raises:
        ValueError: If there are fewer than 10 images.
    """
    from sklearn.manifold import TSNE

    if len(features) < FEWEST_NEIGHBOURHOODS:
        raise ValueError(f"t-SNE of {len(features)} images; give at least {FEWEST_NEIGHBOURHOODS}")
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    places: Array_of_neighbourhoods = reduction.fit_transform(unit_length(features))
    return places


def nearest_alike(features: Array_of_neighbourhoods, classes: list[str]) -> float:
    """Percent of images whose nearest other image, by cosine, is of the same class.

    Args:
        features: (n, channels).
        classes: Of each image.
    """
    unit = unit_length(features)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    known = np.asarray(classes)
    return 100 * float((known[similarity.argmax(axis=1)] == known).mean())


def unit_length(features: Array_of_neighbourhoods) -> Array_of_neighbourhoods:
    """Rows of length 1, as the suite's k-NN compares them; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Array_of_neighbourhoods = features / np.where(lengths > 0, lengths, 1)
    return unit
