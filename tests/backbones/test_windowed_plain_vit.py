"""Attention within windows, by hooks around an unchanged plain ViT."""

import copy

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

ARCH = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": ARCH,
    "img_size": 96,
    "patch_size": 16,
    "out_type": "featmap",
    "final_norm": False,
}


def stock(**changes):
    torch.manual_seed(0)
    model = MODELS.build({**VIT, **changes})
    for parameter in model.parameters():  # norms and position embedding, too, are no constants
        torch.nn.init.normal_(parameter, std=0.1)
    model.eval()
    return model


def windowed(window_size=4, global_blocks=(2,), **changes):
    own = {"window_size": window_size, "global_blocks": list(global_blocks)}
    model = MODELS.build({**VIT, "type": "simmim_bench.WindowedViT", **own, **changes})
    model.load_state_dict(stock(**changes).state_dict())
    model.eval()
    return model


def images(rows, columns, count=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, 16 * rows, 16 * columns, generator=generator)


def cut_windows(grid, window):
    """Pieces (B, window, window, C) of a grid (B, rows, columns, C), row by row, no padding."""
    rows, columns = grid.shape[1:3]
    return [
        ((top, left), grid[:, top : top + window, left : left + window])
        for top in range(0, rows, window)
        for left in range(0, columns, window)
    ]


def expected_block(block, tokens, rows, columns, window):
    """A stock block on cut-out windows; the class token is the mean over the windows."""
    class_token, patches = tokens[:, :1], tokens[:, 1:].reshape(len(tokens), rows, columns, -1)
    attended, classes = torch.zeros_like(patches), []
    for (top, left), piece in cut_windows(patches, window):
        sequence = torch.cat([class_token, piece.flatten(1, 2)], dim=1)
        result = block.attn(block.ln1(sequence))
        classes.append(result[:, :1])
        attended[:, top : top + window, left : left + window] = result[:, 1:].view_as(piece)
    mixed = torch.cat([sum(classes) / len(classes), attended.flatten(1, 2)], dim=1)
    tokens = tokens + mixed
    return block.ffn(block.ln2(tokens), identity=tokens)


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (4, 8), (2, 4)])
def test_windows_are_stock_blocks_on_cut_out_windows(rows, columns):
    """At the size of the position embedding and at others, square or not."""
    model, plain = windowed(window_size=2, global_blocks=[1]), stock()
    seen = []  # tokens before the first block
    handle = plain.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    plain(images(rows, columns))
    handle.remove()
    tokens = expected_block(plain.layers[0], seen[0], rows, columns, 2)
    tokens = plain.layers[1](tokens)
    tokens = expected_block(plain.layers[2], tokens, rows, columns, 2)
    expected = tokens[:, 1:].reshape(2, rows, columns, 24).permute(0, 3, 1, 2)
    assert torch.allclose(model(images(rows, columns))[-1], expected, atol=1e-5)


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (5, 7)])
def test_all_blocks_global_is_the_plain_vit(rows, columns):
    model = windowed(global_blocks=[0, 1, 2])
    assert torch.equal(model(images(rows, columns))[-1], stock()(images(rows, columns))[-1])


def test_one_window_over_the_whole_image_is_the_plain_vit():
    model = windowed(window_size=6, global_blocks=[])
    assert torch.equal(model(images(6, 6))[-1], stock()(images(6, 6))[-1])


def test_without_a_class_token_windows_do_not_hear_of_one_another():
    model = windowed(window_size=3, global_blocks=[], with_cls_token=False)
    before = model(images(6, 9))[-1]
    changed = images(6, 9)
    changed[1, :, 16 * 4, 16 * 7] += 1  # second row, third column of windows
    reached = (model(changed)[-1] - before).abs().sum(dim=1) > 0
    expected = torch.zeros(2, 6, 9, dtype=torch.bool)
    expected[1, 3:, 6:] = True
    assert torch.equal(reached, expected)


def test_the_border_is_filled_up_with_zeros_that_take_part():
    """5 x 5 tokens in windows of 4: the corner's window holds one token and 15 zeros."""
    model, plain = windowed(global_blocks=[1, 2]), stock()
    model(images(5, 5))
    tokens = torch.randn(1, 26, 24)
    corner = torch.cat([tokens[:, :1], tokens[:, 25:], torch.zeros(1, 15, 24)], dim=1)
    expected = plain.layers[0].attn(corner)[:, 1]
    assert torch.allclose(model.layers[0].attn(tokens)[:, 25], expected, atol=1e-6)


def test_images_of_two_shapes_in_turn_and_a_copy_use_their_own_grids():
    model = windowed()
    alone = windowed()(images(8, 3))[-1]
    model(images(3, 8))
    assert torch.equal(model(images(8, 3))[-1], alone)
    twin = copy.deepcopy(model)
    model(images(4, 4))
    assert torch.equal(twin(images(8, 3))[-1], alone)
    assert model.token_grid() == (4, 4)
    assert twin.token_grid() == (8, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"global_blocks": [3]}, r"global_blocks must be in 0 to 2, got \[3\]"),
        ({"window_size": 0}, "window_size must be at least 1, got 0"),
    ],
)
def test_what_does_not_exist_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        windowed(**options)


def test_an_export_of_another_size_is_loaded_strictly(save_pretraining, tmp_path):
    pretraining = {**VIT, "img_size": 64, "final_norm": True}
    exported = export_backbone(save_pretraining(pretraining), tmp_path / "export").weights
    weights = torch.load(exported, weights_only=True)
    model = windowed()
    report = load_pretrained(model, exported)
    assert [(item.key, item.old, item.new) for item in report.resized] == [
        ("pos_embed", (1, 17, 24), (1, 37, 24))
    ]
    assert report.missing == ()
    assert set(report.unexpected) == {"ln1.weight", "ln1.bias"}
    own = model.state_dict()
    assert set(own) == set(report.matched)
    assert all(torch.equal(own[key], weights[key]) for key in own if key != "pos_embed")
    assert torch.equal(own["pos_embed"][:, 0], weights["pos_embed"][:, 0])


def test_the_adapter_is_the_plain_vits():
    adapter = adapter_for(windowed())
    assert adapter.name == "plain_vit"
    assert adapter.num_layers == 5
    levels = {"patch_embed.projection.weight": 0, "pos_embed": 0, "layers.2.attn.qkv.weight": 3}
    assert {name: adapter.layer_id(name) for name in levels} == levels
