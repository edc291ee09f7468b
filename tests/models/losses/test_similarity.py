"""Each distance between features against NumPy, entry by entry."""

import numpy as np
import pytest
import torch

from simmim_bench.models.losses.similarity import CosineDistance, InfoNCE, PerceptualDistance

SHAPES = [(3, 5, 4, 4), (3, 7, 2, 2)]


@pytest.fixture
def levels():
    """Two levels of features, twice."""
    generator = torch.Generator().manual_seed(0)
    draw = [[torch.randn(shape, generator=generator) for shape in SHAPES] for _ in range(2)]
    return draw[0], draw[1]


def arrays(levels):
    return [level.double().numpy() for level in levels]


def test_cosine(levels):
    by_level = []
    for own, other in zip(*map(arrays, levels), strict=True):
        cosines = [
            f @ g / np.sqrt(f @ f) / np.sqrt(g @ g)
            for a, b in zip(own, other, strict=True)
            for f, g in zip(a.reshape(len(a), -1).T, b.reshape(len(b), -1).T, strict=True)
        ]
        by_level.append(1 - np.mean(cosines))
    assert CosineDistance()(*levels).item() == pytest.approx(np.mean(by_level), rel=1e-5)
    scaled = [3 * level for level in levels[0]]
    assert CosineDistance()(scaled, levels[0]).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("weights", [None, (2.0, 0.5)])
def test_perceptual(levels, weights):
    found = PerceptualDistance(level_weights=weights)(*levels).item()
    wanted = 0.0
    for w, own, other in zip(weights or (1, 1), *map(arrays, levels), strict=True):
        _, c, h, width = own.shape
        squares = [((f - g) ** 2).sum() / (c * h * width) for f, g in zip(own, other, strict=True)]
        wanted += w * np.mean(squares)
    assert found == pytest.approx(wanted, rel=1e-5)


def test_info_nce(levels):
    temperature = 0.3
    own, other = (maps[-1].mean(axis=(2, 3)) for maps in map(arrays, levels))
    own, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (own, other))
    total = 0.0
    for k in range(len(own)):
        for logits in ([own[k] @ g for g in other], [other[k] @ f for f in own]):
            scaled = np.array(logits) / temperature
            total += np.log(np.exp(scaled).sum()) - scaled[k]
    found = InfoNCE(temperature=temperature)(*levels).item()
    assert found == pytest.approx(total / (2 * len(own)), rel=1e-5)


def test_info_nce_of_features_that_tell_nothing_is_the_logarithm_of_the_batch():
    maps = [torch.ones(6, 4, 2, 2)]
    assert InfoNCE(temperature=0.1)(maps, maps).item() == pytest.approx(np.log(6), rel=1e-6)


@pytest.mark.parametrize(
    "distance", [CosineDistance(), PerceptualDistance(), InfoNCE(temperature=1)]
)
def test_levels_must_agree(distance, levels):
    with pytest.raises(ValueError, match="features must be one or more maps"):
        distance(levels[0], levels[1][:1])
    with pytest.raises(ValueError, match="features must be one or more maps"):
        distance([], [])
    with pytest.raises(ValueError, match="features must be one or more maps"):
        distance([torch.zeros(2, 3)], [torch.zeros(2, 3)])


def test_refused_values(levels):
    for temperature in (0, -0.1, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"temperature must .* got {temperature}"):
            InfoNCE(temperature=temperature)
    for weights in ([1, np.nan], [np.inf, 1], [-1, 1]):
        with pytest.raises(ValueError, match="level_weights must be finite and >= 0, got"):
            PerceptualDistance(level_weights=weights)
    with pytest.raises(ValueError, match="3 level_weights for 2 levels"):
        PerceptualDistance(level_weights=(1, 1, 1))(*levels)
