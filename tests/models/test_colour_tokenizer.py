"""Colours for visual tokens: which one a patch has, and what is refused."""

import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.models.tokenizers import ColourTokenizer


def test_a_patch_has_the_token_of_its_mean_colour():
    images = torch.zeros(2, 3, 4, 6)
    images[0, 0, :2, :2] = 1.0  # red, in the last of four bins
    images[0, 1, :2, 2:4] = torch.tensor([[0.0, 0.5], [1.0, 0.6]])  # on average in the third
    images[1, 2, 2:, 4:] = 0.3  # blue, in the second
    tokens = ColourTokenizer(patch_size=2, bins=4)(images)
    assert tokens.shape == (2, 64, 2, 3)
    assert tokens.sum(dim=1).eq(1).all()
    expected = torch.zeros(2, 2, 3, dtype=torch.long)
    expected[0, 0, 0], expected[0, 0, 1], expected[1, 1, 2] = 3 * 16, 2 * 4, 1
    assert tokens.argmax(dim=1).equal(expected)


def test_values_outside_of_the_range_have_the_nearest_token():
    images = torch.stack([torch.full((3, 2, 2), -0.1), torch.full((3, 2, 2), 1.1)])
    assert ColourTokenizer(patch_size=2, bins=8)(images).argmax(dim=1).flatten().tolist() == [
        0,
        511,
    ]


def test_what_cannot_be_is_refused():
    with pytest.raises(BenchError, match="bins must be >= 2, got 1"):
        ColourTokenizer(patch_size=2, bins=1)
    with pytest.raises(BenchError, match="image size 4 x 5 px is not divisible by patch size 2"):
        ColourTokenizer(patch_size=2)(torch.zeros(1, 3, 4, 5))
