"""Fast attention modules compute what mmpretrain's do, and keep its keys and hooks."""

import copy

import pytest
import torch
from mmpretrain.models.utils.attention import ShiftWindowMSA

from simmim_bench.backbones.fast_attention import FASTER, _windows_of, speed_up
from simmim_bench.registry import MODELS

ARCH = {"embed_dims": 16, "depths": [2, 2, 2, 2], "num_heads": [2, 4, 4, 4]}
SWIN = {"type": "mmpretrain.SwinTransformer", "arch": ARCH, "out_indices": (0, 1, 2, 3)}
SWIN_V2 = {
    "type": "mmpretrain.SwinTransformerV2",
    "arch": {**ARCH, "extra_norm_every_n_blocks": 0},
    "out_indices": (0, 1, 2, 3),
}
VIT = {
    "type": "mmpretrain.BEiTViT",
    "arch": {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48},
    "img_size": (48, 80),
    "out_type": "featmap",
    "drop_path_rate": 0.3,
}
PLAIN = {**VIT, "type": "mmpretrain.VisionTransformer"}
CASES = {
    "windows that fit": ({**SWIN, "window_size": 3, "drop_path_rate": 0.2}, (96, 192)),
    "padded": ({**SWIN, "window_size": 7, "pad_small_map": True}, (100, 141)),
    "one window high": ({**SWIN, "window_size": 3, "pad_small_map": True}, (96, 104)),
    "one window high, not shifted": ({**SWIN, "window_size": 3}, (96, 160)),
    "even window": ({**SWIN, "window_size": 4, "pad_small_map": True}, (65, 40)),
    "swin v2": ({**SWIN_V2, "window_size": [6] * 4, "pad_small_map": True}, (96, 144)),
    "beit-style": ({**VIT, "use_rel_pos_bias": True}, (48, 80)),
    "shared bias": (
        {**VIT, "use_rel_pos_bias": False, "use_shared_rel_pos_bias": True, "bias": True},
        (48, 80),
    ),
}


def stock_and_fast(config):
    """Equal models, with large weights, so that a wrong place or bias shows."""
    stock = MODELS.build(copy.deepcopy(config))
    generator = torch.Generator().manual_seed(0)
    for parameter in stock.parameters():
        parameter.data.normal_(std=0.2, generator=generator)
    fast = copy.deepcopy(stock)
    speed_up(fast)
    assert {type(module) for module in fast.modules()} & set(FASTER.values())
    return stock, fast


def run(model, images):
    """Outputs and gradients by key; the sum of squares makes all of them matter."""
    torch.manual_seed(2)  # of drop path
    model.train()
    outputs = model(images)
    sum(level.square().sum() for level in outputs).backward()
    grads = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    return outputs, grads


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_bit_equal_and_gradients_equal(name):
    config, size = CASES[name]
    stock, fast = stock_and_fast(config)
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    expected, expected_grads = run(stock, images)
    outputs, grads = run(fast, images)
    for output, level in zip(outputs, expected, strict=True):
        assert torch.equal(output, level)
    assert grads.keys() == expected_grads.keys()
    for key, grad in grads.items():
        scale = float(expected_grads[key].abs().max())
        torch.testing.assert_close(grad, expected_grads[key], rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("grid", [(6, 6), (6, 12), (12, 18), (18, 6)])
@pytest.mark.parametrize(("window", "shift"), [(6, 3), (3, 1), (2, 1)])
def test_forbidden_keys_are_those_of_mmpretrain(grid, window, shift):
    expected = ShiftWindowMSA.get_attn_mask(grid, window, shift) < 0
    *_, kinds, apart = _windows_of(*grid, window, shift, torch.device("cpu"))
    assert torch.equal(torch.isinf(apart[kinds]), expected)


def test_no_attention_weight_is_denormal():
    _, fast = stock_and_fast({**SWIN, "window_size": 3})
    seen = []
    for module in fast.modules():
        if isinstance(module, ShiftWindowMSA):
            module.w_msa.attn_drop.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    fast(torch.randn(1, 3, 96, 96))
    weights = torch.cat([one.flatten() for one in seen])
    assert (weights == 0).any()
    assert not ((weights > 0) & (weights < torch.finfo(torch.float32).tiny)).any()


def test_keys_stay_and_subclasses_are_left_alone():
    class Own(ShiftWindowMSA):
        pass

    stock, fast = stock_and_fast({**SWIN, "window_size": 7, "pad_small_map": True})
    assert fast.state_dict().keys() == stock.state_dict().keys()
    stock.stages[0].blocks[0].attn.__class__ = Own
    speed_up(stock)
    assert type(stock.stages[0].blocks[0].attn) is Own


def test_a_map_smaller_than_a_window_is_refused():
    _, fast = stock_and_fast({**SWIN, "window_size": 7})
    with pytest.raises(ValueError, match="a map of 6 x 6 is smaller than the window 7"):
        fast(torch.randn(1, 3, 192, 192))


def test_a_first_call_in_inference_mode_does_not_spoil_training():
    _windows_of.cache_clear()
    _, fast = stock_and_fast({**SWIN, "window_size": 3})
    images = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        fast(images)
    fast(images)[-1].sum().backward()


@pytest.mark.parametrize("config", [{**SWIN, "window_size": 3, "drop_path_rate": 0.2}, VIT, PLAIN])
def test_a_backbone_is_one_graph(config):
    model = MODELS.build(copy.deepcopy(config))
    speed_up(model)
    images = torch.randn(1, 3, 96, 96) if config["type"].endswith("SwinTransformer") else None
    torch._dynamo.reset()
    found = torch._dynamo.explain(model)(torch.randn(1, 3, 48, 80) if images is None else images)
    assert found.graph_count == 1, found.break_reasons
