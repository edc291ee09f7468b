"""Neighbours in features and in the plane."""

import numpy as np
import pytest

from simmim_bench.analysis.representation.measures import nearest_alike, neighbourhoods


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
