"""CKA, effective rank and neighbourhoods against independent formulas."""

import itertools

import numpy as np
import pytest

from simmim_bench.analysis.representation.measures import (
    aligned,
    effective_rank,
    most_rank,
    nearest_alike,
    neighbourhoods,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cka(first, second):
    [[value]] = aligned([first], [second])
    return value


def hsic(first, second):
    """U-statistic over quadruples of different images (Song et al. 2012, eq. 5)."""
    k, l = first @ first.T, second @ second.T  # noqa: E741
    terms = [
        k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
        for i, j, q, r in itertools.permutations(range(len(k)), 4)
    ]
    return np.mean(terms)


def test_is_the_ratio_of_u_statistics(rng):
    first, second = rng.normal(size=(7, 3)), rng.normal(size=(7, 5)) + 4
    expected = hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))
    assert cka(first, second) == pytest.approx(expected, rel=1e-9)


def test_rotation_scale_and_shift_change_nothing(rng):
    features = rng.normal(size=(20, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert cka(features, features @ rotation) == pytest.approx(1)
    assert cka(features, 3 * features + 5) == pytest.approx(1)
    assert cka(features, features * [9, 1, 1, 1, 1, 1]) < 0.99


def test_unrelated_layers_with_many_channels_are_near_zero(rng):
    first, second = rng.normal(size=(2, 50, 400))
    centred = [features - features.mean(0) for features in (first, second)]
    products = [np.linalg.norm(a.T @ b) ** 2 for a in centred for b in centred]
    plain = products[1] / np.sqrt(products[0] * products[3])  # Kornblith et al., eq. 3
    assert plain > 0.8
    assert abs(cka(first, second)) < 0.05


def test_order_of_images_matters_and_constant_features_have_no_similarity(rng):
    features = rng.normal(size=(30, 4))
    assert abs(cka(features, features[::-1])) < 0.3
    assert np.isnan(cka(features, np.ones((30, 4))))


def test_refuses_different_or_too_few_images(rng):
    with pytest.raises(ValueError, match="4 or more"):
        cka(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)))
    with pytest.raises(ValueError, match="for all layers"):
        cka(rng.normal(size=(8, 4)), rng.normal(size=(9, 4)))


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


@pytest.fixture
def groups():
    """Two far groups of fifteen, in directions and not in length."""
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(8)[:2] * 10, 15, axis=0)
    return (centres + rng.normal(size=(30, 8))).astype(np.float32) * rng.uniform(1, 9, (30, 1))


def test_groups_stay_together_in_the_plane(groups):
    places = neighbourhoods(groups, seed=0)
    assert places.shape == (30, 2)
    assert nearest_alike(places - places.mean(0), ["a"] * 15 + ["b"] * 15) > 90
    assert np.array_equal(places, neighbourhoods(groups, seed=0))


def test_nearest_is_another_image_by_direction(groups):
    assert nearest_alike(groups, ["a"] * 15 + ["b"] * 15) == 100
    assert nearest_alike(groups, [str(n) for n in range(30)]) == 0
    features = np.array([[1, 0], [9, 1], [0.5, 1], [0, 1]], np.float32)
    # by distance the third would be the first's nearest
    assert nearest_alike(features, ["a", "a", "b", "b"]) == 100


def test_too_few_images():
    with pytest.raises(ValueError, match="10 or more"):
        neighbourhoods(np.zeros((9, 2)), seed=0)
