"""t-SNE of features: which images a model takes for alike (van der Maaten and Hinton 2008)."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
PERPLEXITY = 30.0  # scikit-learn's and the paper's usual value
FEWEST = 10


def neighbourhoods(features: Array, *, seed: int) -> Array:
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

    if len(features) < FEWEST:
        raise ValueError(f"t-SNE of {len(features)} images; give at least {FEWEST}")
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    reduction = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    places: Array = reduction.fit_transform(unit_length(features))
    return places


def nearest_alike(features: Array, classes: list[str]) -> float:
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


def unit_length(features: Array) -> Array:
    """Rows of length 1, as the suite's k-NN compares them; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Array = features / np.where(lengths > 0, lengths, 1)
    return unit
