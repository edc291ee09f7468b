"""Sizes and content of the pyramid over a plain ViT."""

import pytest
import torch

from simmim_bench.registry import MODELS


@pytest.fixture
def neck():
    torch.manual_seed(0)
    config = {"type": "simmim_bench.SimpleFeaturePyramid", "in_channels": 16, "out_channels": 8}
    return MODELS.build(config)


def test_strides_are_4_to_64_of_a_patch_of_16(neck):
    maps = neck([torch.randn(2, 16, 8, 12)])
    assert [tuple(m.shape) for m in maps] == [
        (2, 8, 32, 48),
        (2, 8, 16, 24),
        (2, 8, 8, 12),
        (2, 8, 4, 6),
        (2, 8, 2, 3),
    ]


def test_the_last_output_alone_is_used_and_gradients_reach_it(neck):
    first, last = torch.randn(2, 1, 16, 4, 4).requires_grad_().unbind()
    last.retain_grad()
    maps = neck([first, last])
    assert torch.equal(maps[0], neck([last])[0])
    sum(m.square().sum() for m in maps).backward()
    assert last.grad.abs().sum() > 0


def test_every_level_is_normalised_over_channels(neck):
    for level in neck([torch.randn(1, 16, 4, 4) * 100]):
        assert level.mean(dim=1).abs().max() < 1e-5
        assert torch.allclose(level.var(dim=1, unbiased=False), torch.tensor(1.0), atol=1e-3)
