"""The U-shaped decoder reads every stage, and meets every target's grid."""

import pytest
import torch

from simmim_bench.backbones import FeatureSpec
from simmim_bench.models.decoders.unet import UNetDecoder
from simmim_bench.registry import MODELS

SPEC = FeatureSpec(strides=(4, 8, 16, 32), channels=(6, 8, 10, 12))


def build(spec=SPEC, **arguments):
    torch.manual_seed(0)
    return MODELS.build(
        {"type": "simmim_bench.UNetDecoder", "feature_spec": spec, **arguments}
    ).eval()


def maps(spec=SPEC, size=(64, 128)):
    return [
        torch.randn(2, channels, size[0] // stride, size[1] // stride, requires_grad=True)
        for stride, channels in zip(spec.strides, spec.channels, strict=True)
    ]


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32, 64])
def test_output_is_on_the_targets_grid_and_every_stage_is_used(stride):
    decoder, levels = build(out_channels=5, target_stride=stride), maps()
    found = decoder(levels)
    assert found.shape == (2, 5, 64 // stride, 128 // stride)
    found.square().sum().backward()
    assert [key for key, value in decoder.named_parameters() if value.grad is None] == []
    assert all(level.grad.any() for level in levels)


def test_a_coarse_target_is_the_mean_of_what_is_on_the_first_stages_grid():
    coarse, fine, levels = build(target_stride=16), build(target_stride=4), maps()
    fine.load_state_dict(coarse.state_dict())
    expected = torch.nn.functional.avg_pool2d(fine(levels), 4)
    assert torch.allclose(coarse(levels), expected, atol=1e-5)


def test_a_skip_carries_a_detail_that_the_last_stage_has_not():
    decoder, levels = build(), maps()
    with torch.no_grad():
        before = decoder(levels)
        levels[0][0, :, 5, 7] += 1
        moved = (decoder(levels) - before).abs().amax(1)
    assert moved[1].max() == 0
    assert moved[0, 20:24, 28:32].min() > 0
    assert moved[0].flatten().topk(16).values.min() > 10 * moved[0, :4, 64:].max()


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec((16, 16, 16), (6, 6, 6)),  # blocks of a ViT
        FeatureSpec((14, 14), (6, 6)),
        FeatureSpec((4, 16), (6, 8)),
    ],
)
def test_other_backbones(spec):
    side = 2 * spec.strides[-1]
    assert build(spec)(maps(spec, (side, side))).shape == (2, 3, side, side)


def test_backbones_that_do_not_fit():
    with pytest.raises(ValueError, match=r"returns only one, of stride 32; set out_indices"):
        build(FeatureSpec((32,), (8,)))
    with pytest.raises(ValueError, match=r"strides \(6, 16\) .* must divide each other"):
        build(FeatureSpec((6, 16), (8, 8)))
    with pytest.raises(ValueError, match="target stride 8 does not fit a first stage of stride 12"):
        build(FeatureSpec((12, 24), (8, 8)), target_stride=8)


def test_it_takes_every_level():
    assert UNetDecoder.all_levels
    assert len(build().ups) == 3
