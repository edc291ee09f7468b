"""Captured attention, and attention distance, against independent formulas."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from mmpretrain.models.utils.attention import ShiftWindowMSA

from simmim_bench.analysis.representation.attention import (
    captured,
    grid_distances,
    has_attention,
    summed_distance,
)
from tests.analysis.representation.conftest import BEIT, RESNET, SWIN, SWIN_V2, VIT, build

WINDOWED = {**BEIT, "type": "simmim_bench.WindowedBEiTViT", "window_size": 3, "global_blocks": [2]}


def projections(attention, tokens):
    """Queries, keys, values of a module's input, (3, B, heads, N, C)."""
    weight = attention.qkv.weight
    out = tokens @ weight.T
    bias = attention.qkv.bias
    if bias is None:
        zero = torch.zeros_like(attention.v_bias)
        bias = torch.cat([attention.q_bias, zero, attention.v_bias])
    return (out + bias).unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)


def keep(seen, name, _module, args, output):
    seen[name] = args[0], output


@pytest.mark.parametrize("config", [SWIN, SWIN_V2, VIT, BEIT], ids=lambda c: c["type"])
@torch.no_grad()
def test_weights_times_values_is_the_output(config, batch):
    without_class = {
        BEIT["type"]: {"with_cls_token": False, "use_rel_pos_bias": False},
        VIT["type"]: {"with_cls_token": False},
    }
    backbone = build(config, **without_class.get(config["type"], {}))
    seen = {}
    for name, module in backbone.named_modules():
        if hasattr(module, "qkv"):
            module.register_forward_hook(partial(keep, seen, name))
    with captured(backbone) as found:
        backbone(batch)
    assert [layer.layer for layer in found] == list(seen)
    assert found
    for layer in found:
        attention = backbone.get_submodule(layer.layer)
        tokens, output = seen[layer.layer]
        mixed = layer.weights @ projections(attention, tokens)[2]
        explained = attention.proj(mixed.transpose(1, 2).flatten(2))
        torch.testing.assert_close(explained, output, rtol=1e-4, atol=1e-5)
    assert not any(module._forward_pre_hooks for module in backbone.modules())


@torch.no_grad()
def test_positions_of_swin(batch):
    backbone = build(SWIN)
    with captured(backbone) as found:
        backbone(batch)
    assert [layer.pixels for layer in found] == [4, 4, 8, 8, 16, 16, 32, 32]
    assert {(layer.rows, layer.columns) for layer in found} == {(4, 4)}
    assert all(layer.real.all() for layer in found[:6])
    last = found[-1]  # 2 x 2 tokens in a window of 4 x 4
    assert last.real.shape == (2, 16)
    assert (last.real.sum(dim=1) == 4).all()


@torch.no_grad()
def test_padding_is_where_swin_puts_it(batch):
    """Rolled with the image where windows are shifted, as the module itself rolls."""
    backbone = build(SWIN)
    with captured(backbone) as found:
        backbone(batch)
    for layer, shift in zip(found[-2:], (0, 2), strict=True):
        module = backbone.get_submodule(layer.layer.removesuffix(".w_msa"))
        assert module.shift_size == shift
        real = torch.zeros(1, 4, 4, 1)
        real[:, :2, :2] = 1
        rolled = torch.roll(real, (-shift, -shift), dims=(1, 2))
        expected = ShiftWindowMSA.window_partition(rolled, 4).flatten() > 0
        assert torch.equal(layer.real[0], expected)


@torch.no_grad()
def test_the_class_token_is_left_out(batch):
    for config in (BEIT, VIT):
        backbone = build(config)
        with captured(backbone) as found:
            backbone(batch)
        assert [layer.weights.shape for layer in found] == [(2, 2, 16, 16)] * 3
        assert {(layer.rows, layer.columns, layer.pixels) for layer in found} == {(4, 4, 16)}
        assert found[0].weights.sum(dim=-1).mean() < 0.999  # the rest went to the class token


@torch.no_grad()
def test_windows_of_a_vit(batch):
    backbone = build(WINDOWED)
    with captured(backbone) as found:
        backbone(batch)
    assert [(layer.rows, layer.columns) for layer in found] == [(3, 3), (3, 3), (4, 4)]
    # 4 x 4 tokens in 2 x 2 windows of 3 x 3: 9, 3, 3 and 1 are real
    assert found[0].real.sum(dim=1).tolist() == [9, 3, 3, 1] * 2


@torch.no_grad()
def test_nothing_is_changed_and_convolutions_have_none(batch):
    backbone = build(SWIN)
    before = backbone(batch)[-1]
    with captured(backbone):
        during = backbone(batch)[-1]
    assert torch.equal(before, during)
    assert not has_attention(build(RESNET))


def mean(weights, distances, real=None):
    if real is None:
        real = np.ones(weights.shape[::3], bool)
    heads, count = summed_distance(weights, distances, real)
    return heads / count


def test_distances_of_a_grid():
    found = grid_distances(2, 3, 16)
    places = list(itertools.product(range(2), range(3)))
    for (i, a), (j, b) in itertools.product(enumerate(places), repeat=2):
        assert found[i, j] == pytest.approx(16 * ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def test_uniform_attention_is_the_mean_distance_of_all_pairs():
    distances = grid_distances(4, 5, 8)
    uniform = np.full((3, 2, 20, 20), 1 / 20)
    assert mean(uniform, distances) == pytest.approx([distances.mean()] * 2)


def test_each_head_for_itself():
    distances = grid_distances(3, 3, 10)
    itself, right = np.eye(9), np.roll(np.eye(9), 1, axis=1)
    found = mean(np.stack([itself, right])[None], distances)
    # six of nine go one to the right, three to the start of a row one (or two) away
    by_hand = (6 * 10 + 2 * 10 * 5**0.5 + 10 * 8**0.5) / 9
    assert found == pytest.approx([0, by_hand])


def test_queries_are_rows_and_keys_columns():
    distances = grid_distances(1, 3, 1)
    weights = np.zeros((1, 1, 3, 3))
    weights[..., 0] = 1  # all look at the first: 0, 1, 2
    assert mean(weights, distances) == pytest.approx([1])


def test_padding_neither_asks_nor_answers():
    distances = grid_distances(1, 3, 1)
    weights = np.full((1, 1, 3, 3), 1 / 3)
    real = np.array([[True, True, False]])
    assert mean(weights, distances, real) == pytest.approx([0.5])


def test_weight_on_what_has_no_place_is_left_out():
    distances = grid_distances(1, 2, 6)
    weights = np.full((1, 1, 2, 2), 0.1)  # 0.8 went to a class token
    assert mean(weights, distances) == pytest.approx([3])
