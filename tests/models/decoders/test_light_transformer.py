"""The light transformer carries what is visible to other positions, and knows where they are."""

import math

import pytest
import torch

from simmim_bench.backbones import FeatureSpec
from simmim_bench.models.decoders.light_transformer import LightTransformerDecoder
from simmim_bench.registry import MODELS


def build(**changes):
    torch.manual_seed(0)
    options = {"width": 16, "heads": 2, "depth": 1, **changes}
    return LightTransformerDecoder(feature_spec=FeatureSpec((8,), (6,)), **options).eval()


def test_it_is_registered_and_predicts_every_pixel():
    assert MODELS.get("simmim_bench.LightTransformerDecoder") is LightTransformerDecoder
    assert build()(torch.randn(2, 6, 3, 5)).shape == (2, 3, 24, 40)
    assert build(out_channels=7, target_stride=4)(torch.randn(1, 6, 3, 5)).shape == (1, 7, 6, 10)


def test_a_change_anywhere_is_seen_everywhere():
    decoder, features = build(), torch.randn(1, 6, 3, 5)
    changed = features.clone()
    changed[0, :, 2, 4] += 1
    moved = (decoder(features) - decoder(changed)).abs().amax(1)[0]
    assert moved.view(3, 8, 5, 8).amax((1, 3)).min() > 1e-5


def test_positions_are_sines_and_cosines_of_row_and_column():
    decoder, seen = build(), []
    decoder.blocks[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    decoder(torch.zeros(1, 6, 3, 5))
    found = seen[0][0].view(3, 5, 16)
    rates = [10000 ** (-i / 4) for i in range(4)]
    for row in range(3):
        for column in range(5):
            angles = [[place * rate for rate in rates] for place in (row, column)]
            halves = [[*map(math.sin, a), *map(math.cos, a)] for a in angles]
            expected = torch.tensor([*halves[0], *halves[1]])
            assert torch.allclose(found[row, column], expected, atol=1e-6)


def test_a_width_that_heads_do_not_divide():
    with pytest.raises(ValueError, match="width 18 must be divisible by 4 and by heads 2"):
        build(width=18)
