"""Effective rank: how many directions features use (Roy and Vetterli 2007, EUSIPCO, section 2)."""

from __future__ import annotations

from typing import Any

import numpy as np


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
