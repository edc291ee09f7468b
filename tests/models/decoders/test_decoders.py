"""What every decoder promises, and what each is made of."""

import numpy as np
import pytest
import torch

from simmim_bench.backbones import FeatureSpec
from simmim_bench.models.decoders.inverse_swin import InverseSwinDecoder
from simmim_bench.models.decoders.simple import (
    ConvDecoder,
    LinearDecoder,
    MLPDecoder,
    TransposedConvDecoder,
)

SMALL_SWIN = {"embed_dims": 8, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 2, 4)}
DECODERS = {
    "linear": (LinearDecoder, {}),
    "mlp": (MLPDecoder, {}),
    "conv": (ConvDecoder, {}),
    "transposed": (TransposedConvDecoder, {}),
    "inverse swin": (InverseSwinDecoder, {"arch": SMALL_SWIN, "window_size": 3}),
}
SPEC = FeatureSpec(strides=(16, 32), channels=(12, 24))


def build(name, **arguments):
    decoder, own = DECODERS[name]
    torch.manual_seed(0)
    return decoder(**{"feature_spec": SPEC, **own, **arguments})


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("name", DECODERS)
def test_output_is_on_the_targets_grid(name, stride):
    decoder = build(name, out_channels=5, target_stride=stride)
    found = decoder(torch.randn(2, 24, 2, 4))  # of images of 64 x 128
    assert found.shape == (2, 5, 64 // stride, 128 // stride)


@pytest.mark.parametrize("stride", [1, 8, 32, 64])
@pytest.mark.parametrize("name", DECODERS)
def test_every_parameter_and_feature_is_used(name, stride):
    decoder = build(name, target_stride=stride)
    features = torch.randn(2, 24, 2, 2, requires_grad=True)
    decoder(features).square().sum().backward()
    assert [key for key, value in decoder.named_parameters() if value.grad is None] == []
    assert (features.grad.abs().sum(dim=(0, 1)) > 0).all()


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_a_feature_paints_the_square_it_covers(name):
    decoder = build(name, target_stride=2)
    features = torch.randn(1, 24, 2, 3)
    other = features.clone()
    other[..., 1, 2] += 1
    changed = (decoder(features) != decoder(other)).any(dim=1)[0]
    assert changed[16:, 32:].all()
    assert not changed[:16].any()
    assert not changed[:, :32].any()


def test_linear_is_a_matrix_times_each_feature():
    decoder = build("linear", out_channels=3, target_stride=16)
    features = torch.randn(1, 24, 2, 3)
    found = decoder(features)
    weight = decoder.projection.weight.detach().numpy()[:, :, 0, 0].reshape(3, 2, 2, 24)
    bias = decoder.projection.bias.detach().numpy().reshape(3, 2, 2)
    for row, column in np.ndindex(2, 3):
        wanted = weight @ features[0, :, row, column].numpy() + bias
        square = found[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        np.testing.assert_allclose(square.detach().numpy(), wanted, atol=1e-5)


def test_a_coarser_target_sees_the_mean_of_its_features():
    decoder = build("linear", target_stride=64)
    features = torch.randn(1, 24, 2, 4)
    left, right = features[..., :2].mean(dim=(2, 3)), features[..., 2:].mean(dim=(2, 3))
    wanted = decoder.projection(torch.stack([left, right], dim=2).unsqueeze(2))
    assert torch.allclose(decoder(features), wanted, atol=1e-6)


def test_the_stride_of_a_patch_of_14():
    spec = FeatureSpec(strides=(14,), channels=(24,))
    for name in DECODERS:
        found = build(name, feature_spec=spec)(torch.randn(1, 24, 2, 3))
        assert found.shape == (1, 3, 28, 42)


@pytest.mark.parametrize("arch", ["tiny", "base"])
def test_inverse_swin_has_the_channels_and_blocks_of_swin_in_reverse(arch):
    widths, depths, heads = {
        "tiny": ([768, 384, 192, 96], [2, 6, 2, 2], [24, 12, 6, 3]),
        "base": ([1024, 512, 256, 128], [2, 18, 2, 2], [32, 16, 8, 4]),
    }[arch]
    with torch.device("meta"):
        decoder = InverseSwinDecoder(
            feature_spec=FeatureSpec(strides=(32,), channels=(1024,)), arch=arch
        )
    stages = decoder.stages
    assert [stage.embed_dims for stage in stages] == widths
    assert [len(stage.blocks) for stage in stages] == depths
    assert [stage.blocks[0].attn.w_msa.num_heads for stage in stages] == heads
    assert [e.expansion.out_features for e in decoder.expansions] == [2 * w for w in widths[:3]]
    assert decoder.projection.out_features == 4 * 4 * 3


def test_inverse_swin_looks_beyond_a_features_square():
    decoder = build("inverse swin", target_stride=16).eval()
    features = torch.randn(1, 24, 3, 3)
    other = features.clone()
    other[..., 0, 0] += 1
    assert (decoder(features) != decoder(other)).any(dim=1).all()


def test_strides_that_do_not_fit():
    with pytest.raises(ValueError, match=r"target stride 24 does not fit a backbone of stride 32"):
        build("linear", target_stride=24)
    with pytest.raises(ValueError, match=r"unknown inverse Swin 'tin'; did you mean tiny\?"):
        build("inverse swin", arch="tin")


def test_transposed_kernels_overlap_evenly():
    """Every output position has as many inputs: no checkerboard in what a flat map becomes."""
    decoder = build("transposed")
    layers = [m for m in decoder.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert [(m.in_channels, m.out_channels) for m in layers][:2] == [(24, 32), (32, 32)]
    assert len(layers) == 5
    for layer in layers:
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    grown = layers[0](torch.ones(1, 24, 6, 6))[0, 0, 2:-2, 2:-2]
    assert (grown == grown[0, 0]).all()
