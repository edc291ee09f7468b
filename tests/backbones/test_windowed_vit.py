"""Attention within windows, by hooks around an unchanged BEiT-style ViT."""

import copy

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

ARCH = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
VIT = {
    "type": "mmpretrain.BEiTViT",
    "arch": ARCH,
    "img_size": 96,
    "patch_size": 16,
    "out_type": "featmap",
    "use_rel_pos_bias": True,
    "layer_cfgs": {"ffn_cfg": {"add_identity": False, "dropout_layer": None}},
}


def windowed(**changes):
    torch.manual_seed(0)
    config = {**VIT, "type": "simmim_bench.WindowedBEiTViT", "window_size": 4, "global_blocks": [2]}
    model = MODELS.build({**config, **changes})
    model.init_weights()
    model.eval()
    return model


@pytest.fixture
def images():
    return torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def test_one_window_over_the_whole_image_is_the_plain_vit(images):
    model = windowed(window_size=6, global_blocks=[])
    plain = MODELS.build(VIT)
    plain.load_state_dict(model.state_dict())
    plain.eval()
    assert torch.equal(model(images)[-1], plain(images)[-1])


def test_all_blocks_global_is_the_plain_vit(images):
    model = windowed(global_blocks=[0, 1, 2])
    plain = MODELS.build(VIT)
    plain.load_state_dict(model.state_dict())
    plain.eval()
    assert torch.equal(model(images)[-1], plain(images)[-1])


def test_a_windowed_block_mixes_within_windows_alone():
    model = windowed()
    model.patch_resolution = (6, 10)  # 2 x 3 windows of 4, filled up at the border
    attention = model.layers[0].attn
    tokens = torch.randn(2, 1 + 60, 24)
    before = attention(tokens)[:, 1:].unflatten(1, (6, 10))
    assert before.shape == (2, 6, 10, 24)
    changed = tokens.clone()
    changed[1, 1 + 5 * 10 + 6] += 1  # row 5, column 6: second row and second column of windows
    difference = attention(changed)[:, 1:].unflatten(1, (6, 10)) - before
    reached = difference.abs().sum(dim=-1) > 0
    expected = torch.zeros(2, 6, 10, dtype=torch.bool)
    expected[1, 4:, 4:8] = True
    assert torch.equal(reached, expected)


def test_the_class_token_hears_of_every_window():
    model = windowed()
    attention = model.layers[0].attn
    tokens = torch.randn(1, 1 + 36, 24)
    class_token = attention(tokens)[:, 0]
    for position in (0, 5, 30, 35):
        changed = tokens.clone()
        changed[0, 1 + position] += 1
        assert not torch.equal(attention(changed)[:, 0], class_token)


def test_split_and_merge_undo_one_another():
    model = windowed()
    model.patch_resolution = (5, 7)
    tokens = torch.randn(3, 1 + 35, 24)
    (windows,) = model._split(None, (tokens,))
    assert windows.shape == (3 * 4, 1 + 16, 24)
    assert torch.allclose(model._merge(None, None, windows), tokens, atol=1e-6)


def test_a_copy_uses_its_own_grid(images):
    model = windowed()
    twin = copy.deepcopy(model)
    model.patch_resolution = (1, 1)
    assert twin(images)[-1].shape == (2, 24, 6, 6)


def test_another_image_size_is_refused_with_the_size_that_fits():
    with pytest.raises(ValueError, match=r"has 4 x 6 tokens.*pad every image to img_size=96"):
        windowed()(torch.randn(1, 3, 64, 96))


def test_a_global_block_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"global_blocks must be in 0 to 2, got \[3\]"):
        windowed(global_blocks=[3])


def test_windows_take_the_pretrained_bias_as_it_is_and_global_blocks_resize_it(
    save_pretraining, tmp_path
):
    pretraining = {
        **VIT,
        "img_size": 64,
        "final_norm": True,
        "use_rel_pos_bias": False,
        "use_shared_rel_pos_bias": True,
    }
    exported = export_backbone(save_pretraining(pretraining), tmp_path / "export").weights
    shared = torch.load(exported, weights_only=True)["rel_pos_bias.relative_position_bias_table"]
    model = windowed()
    report = load_pretrained(model, exported)
    assert [item.key for item in report.resized] == ["layers.2.attn.relative_position_bias_table"]
    assert report.missing == ()
    for index in (0, 1):
        assert torch.equal(model.layers[index].attn.relative_position_bias_table, shared)
    assert len(model.layers[2].attn.relative_position_bias_table) == 11 * 11 + 3
    assert adapter_for(model).num_layers == 5
