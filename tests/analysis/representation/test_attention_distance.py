"""Attention distance where it can be counted by hand."""

import itertools

import numpy as np
import pytest

from simmim_bench.analysis.representation.attention import grid_distances, summed_distance


def mean(weights, distances, real=None):
    if real is None:
        real = np.ones(weights.shape[::3], bool)
    heads, count = summed_distance(weights, distances, real)
    return heads / count


def test_distances_of_a_grid():
    found = grid_distances(2, 3, 16)
    places = list(itertools.product(range(2), range(3)))
    for (i, a), (j, b) in itertools.product(enumerate(places), repeat=2):
        assert found[i, j] == pytest.approx(16 * ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def test_uniform_attention_is_the_mean_distance_of_all_pairs():
    distances = grid_distances(4, 5, 8)
    uniform = np.full((3, 2, 20, 20), 1 / 20)
    assert mean(uniform, distances) == pytest.approx([distances.mean()] * 2)


def test_each_head_for_itself():
    distances = grid_distances(3, 3, 10)
    itself, right = np.eye(9), np.roll(np.eye(9), 1, axis=1)
    found = mean(np.stack([itself, right])[None], distances)
    # six of nine go one to the right, three to the start of a row one (or two) away
    by_hand = (6 * 10 + 2 * 10 * 5**0.5 + 10 * 8**0.5) / 9
    assert found == pytest.approx([0, by_hand])


def test_queries_are_rows_and_keys_columns():
    distances = grid_distances(1, 3, 1)
    weights = np.zeros((1, 1, 3, 3))
    weights[..., 0] = 1  # all look at the first: 0, 1, 2
    assert mean(weights, distances) == pytest.approx([1])


def test_padding_neither_asks_nor_answers():
    distances = grid_distances(1, 3, 1)
    weights = np.full((1, 1, 3, 3), 1 / 3)
    real = np.array([[True, True, False]])
    assert mean(weights, distances, real) == pytest.approx([0.5])


def test_weight_on_what_has_no_place_is_left_out():
    distances = grid_distances(1, 2, 6)
    weights = np.full((1, 1, 2, 2), 0.1)  # 0.8 went to a class token
    assert mean(weights, distances) == pytest.approx([3])
