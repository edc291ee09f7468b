"""Features of frozen networks of four kinds, and of the encoder itself."""

import re

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn import functional

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.models.features import FrozenFeatures, OwnFeatures
from simmim_bench.models.frozen import VGG16Levels, build_network
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 2, "num_heads": 2, "feedforward_channels": 48},
    "img_size": 64,
    "patch_size": 16,
}


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    painted, original = torch.randn(2, 2, 3, 64, 64, generator=generator)
    return painted.requires_grad_(), original


@pytest.fixture
def exported(save_pretraining, tmp_path):
    """The backbone of a pretraining by the suite."""
    return export_backbone(save_pretraining(SWIN, seed=3), tmp_path / "export").weights


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """Weights under torchvision's keys, its classifier's among them."""
    torch.manual_seed(0)
    network = VGG16Levels([0])
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({**network.state_dict(), "classifier.0.bias": torch.zeros(2)}, path)
    return network, path


def levels_of(features, images):
    return features(*images, None)


def test_vgg_has_torchvisions_keys_and_gives_four_levels(vgg, images):
    from torchvision.models import vgg16

    with torch.device("meta"):
        keys = [key for key in vgg16().state_dict() if key.startswith("features.")]
    network, path = vgg
    assert list(network.state_dict()) == keys
    own, other = levels_of(FrozenFeatures(checkpoint=str(path)), images)
    assert [level.shape[1:] for level in other] == [
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
    ]
    for number, level in zip((3, 8, 15, 22), own, strict=True):
        torch.testing.assert_close(level, network.features[: number + 1](images[0]))


def test_levels_before_a_rectifier_keep_their_negative_values(vgg, images):
    network, path = vgg
    _, other = levels_of(FrozenFeatures(checkpoint=str(path), levels=[2, 8]), images)
    assert other[0].min() < 0
    with torch.no_grad():
        first = functional.relu(network.features[0](images[1]))
        torch.testing.assert_close(other[0], network.features[2](first))


def test_the_suites_own_backbone_needs_no_config(exported, images):
    own, _ = levels_of(FrozenFeatures(checkpoint=str(exported), levels=[0, 1, 2, 3]), images)
    assert [level.shape[1:] for level in own] == [(8, 16, 16), (16, 8, 8), (32, 4, 4), (64, 2, 2)]
    backbone = MODELS.build(SWIN)
    backbone.load_state_dict(torch.load(exported))
    backbone.eval()
    torch.testing.assert_close(own[-1], backbone(images[0])[-1])


def test_networks_of_timm_and_mmpretrain(tmp_path, images):
    torch.manual_seed(0)
    resnet = timm.create_model("resnet18", num_classes=3).eval()
    torch.save(resnet.state_dict(), tmp_path / "resnet.pth")
    config = {"type": "timm.resnet18"}
    features = FrozenFeatures(checkpoint=str(tmp_path / "resnet.pth"), model=config, levels=[1, 3])
    own, _ = levels_of(features, images)
    wanted = resnet.forward_intermediates(images[0], intermediates_only=True)
    torch.testing.assert_close(own, [wanted[1], wanted[3]])
    swin = MODELS.build({**SWIN, "out_indices": (1, 3)})
    swin.eval()
    torch.save({"state_dict": swin.state_dict()}, tmp_path / "swin.pth")
    features = FrozenFeatures(checkpoint=str(tmp_path / "swin.pth"), model=SWIN, levels=[1, 3])
    torch.testing.assert_close(list(levels_of(features, images)[0]), list(swin(images[0])))


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (None, 31),  # layers of VGG-16's convolutional part
        ({"type": "timm.resnet18"}, 5),
        (SWIN, 4),
        (VIT, 2),
        ({"type": "mmpretrain.ResNet", "depth": 18}, 4),
        ({"type": "simmim_bench.PlainCNN"}, 4),
        ({"type": "simmim_bench.TimmFeatures", "model_name": "resnet18"}, 5),
    ],
)
def test_levels_that_a_network_would_drop_or_reorder_are_refused(model, count):
    for levels in ([], [-1], [0, count], [1, 0], [1, 1]):
        wanted = rf"levels {re.escape(str(levels))} of .*; give one or more of 0 to {count - 1},"
        with pytest.raises(BenchError, match=wanted):
            FrozenFeatures(model=model, levels=levels, random=True)
    build_network(model, [0, count - 1])


def test_levels_of_an_unknown_network_are_refused():
    with pytest.raises(BenchError, match="cannot tell how many levels a HRNet has"):
        build_network({"type": "mmpretrain.HRNet", "arch": "w18"}, [0])


def test_the_check_of_levels_does_not_change_random_weights():
    torch.manual_seed(4)
    wanted = MODELS.build({**SWIN, "out_indices": (1, 3)}).state_dict()
    torch.manual_seed(4)
    found = build_network(SWIN, [1, 3]).state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_gradients_reach_the_painted_pixels_and_no_weight(exported, images):
    features = FrozenFeatures(checkpoint=str(exported), levels=[0, 3])
    own, other = levels_of(features, images)
    assert not any(level.requires_grad for level in other)
    sum((a - b).square().sum() for a, b in zip(own, other, strict=True)).backward()
    assert images[0].grad.abs().sum() > 0
    assert all(value.grad is None for value in features.network.parameters())
    assert (list(features.parameters()), features.state_dict()) == ([], {})
    assert not features.train().network.training
    features.to(torch.float64)
    assert {value.dtype for value in features.network.parameters()} == {torch.float64}


def test_random_weights_are_refused_unless_meant_and_then_always_the_same(images, vgg):
    for refused in ({}, {"checkpoint": str(vgg[1]), "random": True}):
        with pytest.raises(BenchError, match=r"give either the path of .* or random=True"):
            FrozenFeatures(model=SWIN, **refused)
    before = torch.get_rng_state()
    found = [FrozenFeatures(model=SWIN, random=True, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    first, again, another = (levels_of(features, images)[1][0] for features in found)
    assert torch.equal(first, again)
    assert not torch.equal(first, another)


def test_a_wrong_checkpoint_is_refused(vgg, exported, tmp_path):
    with pytest.raises(BenchError, match=r"absent.pth does not exist; give the path of a .pth"):
        FrozenFeatures(checkpoint=str(tmp_path / "absent.pth"))
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(BenchError, match="does not fully match its model: 26 of 26 keys missing"):
        FrozenFeatures(checkpoint=str(tmp_path / "other.pth"))
    wider = {**SWIN, "arch": {**SWIN["arch"], "embed_dims": 16}}
    with pytest.raises(BenchError, match="swin with embed_dims 8"):
        FrozenFeatures(checkpoint=str(exported), model=wider)
    state = torch.load(exported)
    for value in state.values():
        value.add_(1)
    torch.save(state, exported)
    with pytest.raises(BenchError, match="the weights were changed after the export"):
        FrozenFeatures(checkpoint=str(exported))


def test_a_network_without_maps_is_refused(images):
    vit = {"type": "timm.vit_tiny_patch16_224", "img_size": 64, "embed_dim": 24, "depth": 2}
    features = FrozenFeatures(model={**vit, "num_heads": 2}, random=True, levels=[0, 1])
    assert levels_of(features, images)[0][0].shape == (2, 24, 4, 4)
    with pytest.raises(BenchError, match=r"VisionTransformer returns .*set out_type='featmap'"):
        levels_of(FrozenFeatures(model=VIT, random=True), images)


def test_the_network_sees_images_in_its_own_normalisation(images):
    scale = {"mean": (120.0, 110.0, 100.0), "std": (60.0, 50.0, 70.0)}
    own = {"network_mean": (127.5,) * 3, "network_std": (50.0,) * 3}
    plain = FrozenFeatures(model=SWIN, random=True)
    scaled = FrozenFeatures(model=SWIN, random=True, **scale, **own)
    mean, std = (torch.tensor(scale[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    moved = [((each * std + mean) - 127.5) / 50 for each in images]
    torch.testing.assert_close(levels_of(scaled, images)[0], levels_of(plain, moved)[0])
    for known in ({**own}, {**scale, "network_mean": (1.0,) * 3}):
        with pytest.raises(BenchError, match="belong together"):
            FrozenFeatures(model=SWIN, random=True, **known)


@pytest.mark.parametrize("learn", [False, True])
def test_own_features_learn_only_if_they_may(images, learn):
    torch.manual_seed(0)
    backbone = MODELS.build(SWIN)
    features = OwnFeatures(learn=learn)
    own, other = features(*images, adapter_for(backbone))
    for found, seen in ((own, images[0]), (other, images[1])):
        torch.testing.assert_close(found[0], backbone(seen)[-1])
    (own[0] - other[0]).square().sum().backward()
    assert images[0].grad.abs().sum() > 0
    learned = [value.grad is not None for value in backbone.parameters()]
    assert all(learned) if learn else not any(learned)
    assert all(isinstance(value, nn.Parameter) for value in backbone.parameters())
    assert np.isfinite(images[0].grad.numpy()).all()
