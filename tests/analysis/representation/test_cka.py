"""Linear CKA against its definition by sums over images."""

import itertools

import numpy as np
import pytest

from simmim_bench.analysis.representation.measures import aligned


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
