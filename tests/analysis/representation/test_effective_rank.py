"""Effective rank where it is known in closed form."""

import numpy as np
import pytest

from simmim_bench.analysis.representation.measures import effective_rank, most_rank


def of_variances(variances):
    """Features whose centred singular values are the roots of ``variances``."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(40, len(variances)))
    basis, _ = np.linalg.qr(drawn - drawn.mean(0))  # orthonormal columns of mean 0
    rotation, _ = np.linalg.qr(rng.normal(size=(len(variances),) * 2))
    return basis * np.sqrt(variances) @ rotation


def test_identity_covariance_uses_every_direction():
    assert effective_rank(of_variances([1.0] * 6)) == pytest.approx(6)
    assert effective_rank(7 + of_variances([1.0] * 6)) == pytest.approx(6)


def test_known_singular_values():
    # 3 and 1: shares 3/4 and 1/4
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert effective_rank(of_variances([9.0, 1.0])) == pytest.approx(np.exp(entropy))


def test_one_direction_and_none():
    line = np.outer(np.arange(10.0), [1.0, 2.0, 3.0])
    assert effective_rank(line) == pytest.approx(1)
    assert effective_rank(np.full((10, 3), 0.1)) == 0


def test_bounds_and_refusal():
    assert most_rank(np.zeros((5, 100))) == 4
    assert most_rank(np.zeros((500, 100))) == 100
    with pytest.raises(ValueError, match="2 or more"):
        effective_rank(np.zeros((1, 3)))
