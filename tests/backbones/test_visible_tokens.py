"""Backbones on visible tokens only against the dense ones, nothing masked and masked."""

import pytest
import torch
from mmpretrain.models.utils import attention as library

from simmim_bench.backbones.sparse.visible_only import check_sparse, visible_only
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

SIZE = (64, 96)
SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": SIZE,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48},
    "img_size": SIZE,
    "patch_size": 16,
    "out_type": "featmap",
}
BACKBONES = {
    "swin": SWIN,
    "swin, last maps smaller than a window": {**SWIN, "window_size": 4, "pad_small_map": True},
    "swin, maps that windows do not divide": {**SWIN, "window_size": 3, "pad_small_map": True},
    "swin, embedded positions": {**SWIN, "use_abs_pos_embed": True},
    "vit": VIT,
    "vit, no class token": {**VIT, "with_cls_token": False},
    "vit, no final norm": {**VIT, "final_norm": False},
}


@pytest.fixture(params=BACKBONES)
def backbone(request):
    torch.manual_seed(0)
    built = MODELS.build(dict(BACKBONES[request.param]))
    for parameter in built.parameters():  # position biases and embeddings too
        torch.nn.init.normal_(parameter, std=0.3)
    built.eval()
    return built


@pytest.fixture
def images():
    return torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def channels(backbone):
    return backbone.embed_dims * (8 if hasattr(backbone, "stages") else 1)


def encode(backbone, images, mask, token=None):
    token = torch.full((1, 1, channels(backbone)), 7.0) if token is None else token
    with visible_only(backbone, mask, token):
        return backbone(images)[-1]


def masks(backbone, *, same=False):
    """Two of six cells of 32 px visible in each image, on the token grid."""
    cells = torch.ones(3, 6, dtype=torch.bool)
    for image, visible in enumerate([(0, 1), (2, 3), (1, 5)]):
        cells[image, list((1, 5) if same else visible)] = False
    size = backbone.patch_embed.projection.stride[0]
    cells = cells.view(3, 2, 3)
    return cells.repeat_interleave(32 // size, 1).repeat_interleave(32 // size, 2)


def forbid_masked_keys(backbone, mask, monkeypatch):
    """Let the library's own dense attention add minus infinity at masked keys; one image."""
    if not hasattr(backbone, "stages"):
        hidden = mask.flatten()
        if backbone.with_cls_token:
            hidden = torch.cat([hidden.new_zeros(1), hidden])
        bias = torch.zeros(len(hidden)).masked_fill(hidden, -torch.inf)
        product = torch.nn.functional.scaled_dot_product_attention

        def attention(query, key, value, **_):
            return product(query, key, value, attn_mask=bias.expand(len(hidden), -1))

        for layer in backbone.layers:
            monkeypatch.setattr(layer.attn, "scaled_dot_product_attention", attention)
        return
    stock = library.ShiftWindowMSA.get_attn_mask
    for level, stage in enumerate(backbone.stages):
        hidden = mask[:, :: 2**level, :: 2**level]
        for block in stage.blocks:

            def attn_mask(hw_shape, window_size, shift_size, device, hidden=hidden):
                usual = stock(hw_shape, window_size, shift_size, device)
                padded = torch.zeros(1, *hw_shape, 1)
                padded[:, : hidden.shape[1], : hidden.shape[2], 0] = hidden
                padded = padded.roll((-shift_size, -shift_size), (1, 2))
                windows = library.ShiftWindowMSA.window_partition(padded, window_size)
                keys = -1e9 * windows.flatten(1).unsqueeze(1).expand(-1, window_size**2, -1)
                return keys if usual is None else keys + usual

            monkeypatch.setattr(block.attn, "get_attn_mask", attn_mask)


def relative(found, expected):
    return ((found - expected).abs().max() / expected.abs().max()).item()


def visible_map(mask, features):
    """Bool, (B, 1, h, w) on the grid of the features."""
    step = mask.shape[1] // features.shape[2]
    return ~mask[:, ::step, ::step].unsqueeze(1).expand_as(features)


def test_with_nothing_masked_it_is_the_dense_backbone(backbone, images):
    nothing = torch.zeros_like(masks(backbone))
    assert relative(encode(backbone, images, nothing), backbone(images)[-1]) < 1e-5


@pytest.mark.parametrize("same", [False, True])
def test_visible_tokens_are_those_of_dense_attention_without_masked_keys(
    backbone, images, same, monkeypatch
):
    mask = masks(backbone, same=same)
    found = encode(backbone, images, mask)
    plain = backbone(images)[-1]
    shown = visible_map(mask, found)
    for index in range(len(images)):
        with monkeypatch.context() as patch:
            forbid_masked_keys(backbone, mask[index : index + 1], patch)
            dense = backbone(images[index : index + 1])[-1]
        where = shown[index]
        assert relative(found[index][where], dense[0][where]) < 1e-5
        assert relative(plain[index][where], dense[0][where]) > 1e-3  # the mask does something
    assert (found[~shown] == 7.0).all()
    assert not (found[shown] == 7.0).any()


@pytest.mark.parametrize("same", [False, True])
def test_gradients_are_those_of_dense_attention_without_masked_keys(same, images, monkeypatch):
    torch.manual_seed(0)
    backbone = MODELS.build({**SWIN, "window_size": 4, "pad_small_map": True})
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    mask = masks(backbone, same=same)
    features = encode(backbone, images, mask)
    shown = visible_map(mask, features)
    weight = torch.randn(features.shape) * shown
    (features * weight).sum().backward()
    sparse = {name: value.grad.clone() for name, value in backbone.named_parameters()}
    backbone.zero_grad()
    for index in range(len(images)):
        with monkeypatch.context() as patch:
            forbid_masked_keys(backbone, mask[index : index + 1], patch)
            (backbone(images[index : index + 1])[-1] * weight[index : index + 1]).sum().backward()
    for name, value in backbone.named_parameters():
        assert relative(sparse[name], value.grad) < 1e-4, name


def test_masked_pixels_are_never_seen(backbone, images):
    mask = masks(backbone)
    size = backbone.patch_embed.projection.stride[0]
    pixels = mask.repeat_interleave(size, 1).repeat_interleave(size, 2).unsqueeze(1)
    other = torch.where(pixels, torch.randn_like(images), images)
    assert torch.equal(encode(backbone, images, mask), encode(backbone, other, mask))
    assert not torch.equal(encode(backbone, images, mask), encode(backbone, images + 1, mask))


def test_fewer_tokens_pass_through_the_blocks(backbone, images):
    mask, seen = masks(backbone), []
    blocks = [m for m in backbone.modules() if type(m).__name__ == "FFN"]
    for block in blocks:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[:2].numel()))
    encode(backbone, images, mask)
    sparse, seen[:] = list(seen), []
    backbone(images)
    extra = 3 * backbone.num_extra_tokens
    assert [3 * (n - extra) for n in sparse] == [n - extra for n in seen]  # 2 of 6 cells


def test_the_backbone_is_left_as_it_was(backbone, images):
    keys, dense = list(backbone.state_dict()), backbone(images)[-1]
    encode(backbone, images, masks(backbone))
    with pytest.raises(ValueError, match="does not fit a batch of 2 images"):
        encode(backbone, images[:2], masks(backbone))
    assert list(backbone.state_dict()) == keys
    assert torch.equal(backbone(images)[-1], dense)


def test_masks_that_do_not_fit(images):
    swin, vit = MODELS.build(dict(SWIN)), MODELS.build(dict(VIT))
    mask = masks(swin)
    with pytest.raises(ValueError, match=r"torch\.int64, not torch\.bool"):
        encode(swin, images, mask.long())
    mask[0, 0, 0] = ~mask[0, 0, 0]
    with pytest.raises(ValueError, match="set mask_patch_size=32"):
        encode(swin, images, mask)
    with pytest.raises(ValueError, match="no visible token"):
        encode(swin, images, torch.ones_like(mask))
    mask = masks(vit)
    mask[0] = False
    with pytest.raises(ValueError, match="a sparse ViT needs the same number in each"):
        encode(vit, images, mask)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "mmpretrain.BEiTViT", "arch": VIT["arch"]}, "BEiTViT cannot encode visible"),
        ({**SWIN, "out_indices": (2, 3)}, "a sparse backbone returns only its last map"),
        ({**SWIN, "with_cp": True}, "needs with_cp=False"),
        ({**SWIN, "drop_path_rate": 0.1}, "set drop_path_rate=0.0"),
    ],
)
def test_backbones_that_cannot(config, message):
    with pytest.raises(BenchError, match=message):
        check_sparse(MODELS.build(config))
