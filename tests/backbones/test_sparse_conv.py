"""Convolutions that respect the mask: against the dense ones, and a graph of visible positions."""

import copy

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.backbones.sparse.visible_only import check_sparse, visible_only
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

SIZE = (64, 96)
RESNET = {
    "type": "mmpretrain.ResNet",
    "depth": 18,
    "stem_channels": 8,
    "base_channels": 8,
    "out_indices": (0, 1, 2, 3),
}
BACKBONES = {
    "resnet": RESNET,
    "bottlenecks, deep stem, average pooling": {
        **RESNET,
        "depth": 50,
        "deep_stem": True,
        "avg_down": True,
    },
    "cnn": {
        "type": "simmim_bench.PlainCNN",
        "channels": (8, 8, 16, 16),
        "depths": (1, 2, 1, 1),
        "out_indices": (0, 1, 2, 3),
    },
}


@pytest.fixture(params=BACKBONES)
def backbone(request):
    torch.manual_seed(0)
    built = MODELS.build(dict(BACKBONES[request.param]))
    for name, value in built.named_parameters():  # norms and shortcuts too
        if value.ndim == 1:
            torch.nn.init.normal_(value, mean="weight" in name, std=0.3)
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return built


@pytest.fixture
def images():
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask():
    """Two, four and three of six cells of 32 px hidden, on the grid of 4 px."""
    cells = torch.zeros(3, 6, dtype=torch.bool)
    for image, hidden in enumerate([(0, 5), (0, 1, 2, 4), (3, 4, 5)]):
        cells[image, list(hidden)] = True
    return cells.view(3, 2, 3).repeat_interleave(8, 1).repeat_interleave(8, 2)


def encode(backbone, images, mask):
    token = torch.full((1, 1, adapter_for(backbone).feature_spec.channels[-1]), 7.0)
    with visible_only(backbone, mask, token):
        return backbone(images)


def hidden_in(level, mask):
    """Bool, of the shape of the level."""
    cells = mask[:, ::8, ::8]
    scale = level.shape[2] // 2
    return cells.repeat_interleave(scale, 1).repeat_interleave(scale, 2)[:, None].expand_as(level)


@pytest.mark.parametrize("training", [True, False])
def test_hidden_pixels_reach_nothing(backbone, images, mask, training):
    """Not the maps, not the running statistics, and no gradient comes back to them."""
    backbone.train(training)
    pixels = mask.repeat_interleave(4, 1).repeat_interleave(4, 2).unsqueeze(1)
    other = torch.where(pixels, 1e3 * torch.randn_like(images), images)
    twin = copy.deepcopy(backbone)
    for found, same in zip(encode(backbone, images, mask), encode(twin, other, mask), strict=True):
        assert torch.equal(found, same)
    for (key, value), same in zip(
        backbone.state_dict().items(), twin.state_dict().values(), strict=True
    ):
        assert torch.equal(value, same), key
    images.requires_grad_()
    sum(level.square().sum() for level in encode(backbone, images, mask)).backward()
    assert not images.grad.masked_select(pixels).any()
    assert images.grad.masked_select(~pixels).any()


def test_hidden_positions_are_zero_and_the_token(backbone, images, mask):
    *earlier, last = encode(backbone, images, mask)
    for level in earlier:
        where = hidden_in(level, mask)
        assert not level[where].any()
        assert level[~where].any()
    where = hidden_in(last, mask)
    assert (last[where] == 7).all()
    assert not (last[~where] == 7).any()


@pytest.mark.parametrize("training", [True, False])
def test_with_nothing_hidden_it_is_the_bare_backbone_to_the_bit(backbone, images, mask, training):
    backbone.train(training)
    twin = copy.deepcopy(backbone)
    for found, bare in zip(
        encode(backbone, images, torch.zeros_like(mask)), twin(images), strict=True
    ):
        assert torch.equal(found, bare)
    assert all(
        torch.equal(value, twin.state_dict()[key]) for key, value in backbone.state_dict().items()
    )


def by_hand(layers, images, visible):
    """One layer after another in plain tensors; statistics of visible positions of all images."""
    features, means = images * visible(images.shape[2]), []
    for convolution, norm in layers:
        features = torch.nn.functional.conv2d(
            features, convolution.weight, stride=convolution.stride, padding=1
        )
        shown = visible(features.shape[2])
        values = features.movedim(1, 0)[:, shown[:, 0]]  # (C, N)
        means.append(values.mean(1))
        scale = norm.weight / (values.var(1, unbiased=False) + norm.eps).sqrt()
        features = (features - means[-1].view(1, -1, 1, 1)) * scale.view(1, -1, 1, 1)
        features = (features + norm.bias.view(1, -1, 1, 1)).relu() * shown
    return features, means


def test_a_plain_cnn_against_its_formulas(images, mask):
    torch.manual_seed(0)
    backbone = MODELS.build(dict(BACKBONES["cnn"])).train()
    modules = [backbone.stem, *(layer for stage in backbone.stages for layer in stage)]
    layers = [(layer.conv, layer.bn) for layer in modules]
    for _, norm in layers:
        torch.nn.init.normal_(norm.bias)
    cells = ~mask[:, None, ::8, ::8]

    def visible(rows):
        scale = rows // 2
        return cells.repeat_interleave(scale, 2).repeat_interleave(scale, 3)

    expected, means = by_hand(layers, images, visible)
    found = encode(backbone, images, mask)[-1]
    shown = visible(2).expand_as(found)
    assert torch.allclose(found[shown], expected[shown], rtol=1e-3, atol=1e-4)
    for (_, norm), mean in zip(layers, means, strict=True):
        assert torch.allclose(norm.running_mean, 0.1 * mean, atol=1e-5)


def test_the_backbone_is_left_as_it_was(backbone, images, mask):
    backbone.eval()
    keys, bare = list(backbone.state_dict()), backbone(images)
    encode(backbone, images, mask)
    with pytest.raises(ValueError, match="does not fit a batch of 2 images"):
        encode(backbone, images[:2], mask)
    assert list(backbone.state_dict()) == keys
    assert all(torch.equal(a, b) for a, b in zip(backbone(images), bare, strict=True))
    assert not any("forward" in vars(module) for module in backbone.modules())


def test_masks_that_do_not_fit(images, mask):
    backbone = MODELS.build(dict(RESNET))
    split = mask.clone()
    split[0, 0, 0] = ~split[0, 0, 0]
    with pytest.raises(ValueError, match="set mask_patch_size=32 and an image size"):
        encode(backbone, images, split)
    with pytest.raises(ValueError, match="no visible token"):
        encode(backbone, images, torch.ones_like(mask))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**RESNET, "out_indices": (0, 1)}, "let out_indices end with 3"),
        ({**RESNET, "norm_cfg": {"type": "GN", "num_groups": 2}}, "GroupNorm computes its"),
        ({**RESNET, "type": "mmpretrain.ResNetV1d"}, "ResNetV1d cannot encode visible tokens"),
        ({**RESNET, "with_cp": True}, "needs with_cp=False"),
    ],
)
def test_backbones_that_cannot(config, message):
    with pytest.raises(BenchError, match=message):
        check_sparse(MODELS.build(config))
