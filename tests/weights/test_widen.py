"""Weights of C channels for images of N: both rules against sums written out, for every adapter."""

import json

import pytest
import torch

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.origin import local_backbone
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.widen import RULES, widen_kernel
from tests.weights.test_pretrained import SWIN, VIT

PLAIN_VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": {"num_heads": 1, "embed_dims": 64, "num_layers": 2, "feedforward_channels": 128},
    "img_size": 64,
    "patch_size": 16,
    "out_type": "featmap",
}
CONVNEXT = {
    "type": "mmpretrain.ConvNeXt",
    "arch": {"depths": [1, 1, 1, 1], "channels": [8, 16, 24, 32]},
    "gap_before_final_norm": False,
}
SWIN_V2 = {
    "type": "mmpretrain.SwinTransformerV2",
    "arch": {
        "embed_dims": 12,
        "depths": [1, 1, 1, 1],
        "num_heads": [2, 3, 4, 6],
        "extra_norm_every_n_blocks": 0,
    },
    "img_size": 64,
    "window_size": [2, 2, 2, 2],
}
BACKBONES = {
    "swin": (SWIN, "patch_embed.projection.weight"),
    "swinv2": (SWIN_V2, "patch_embed.projection.weight"),
    "vit": (VIT, "patch_embed.projection.weight"),
    "plain_vit": (PLAIN_VIT, "patch_embed.projection.weight"),
    "convnext": (CONVNEXT, "downsample_layers.0.0.weight"),
    "resnet": ({"type": "mmpretrain.ResNet", "depth": 18}, "conv1.weight"),
    "deep stem": (
        {"type": "mmpretrain.ResNet", "depth": 18, "deep_stem": True, "base_channels": 8},
        "stem.0.conv.weight",
    ),
    "cnn": ({"type": "simmim_bench.PlainCNN", "channels": (4, 4), "depths": (1, 1),
             "out_indices": (1,)}, "stem.conv.weight"),
    "timm": ({"type": "simmim_bench.TimmFeatures", "model_name": "resnet10t"},
             "timm_model.model.conv1.0.weight"),
}  # fmt: skip


@pytest.fixture
def red_green_blue():
    return torch.randn(3, 8, 2, 2, generator=torch.Generator().manual_seed(0))


def test_mean(red_green_blue):
    red, green, blue = red_green_blue
    wide = widen_kernel(torch.stack([red, green, blue], dim=1), 4, "mean")
    for band in range(4):
        torch.testing.assert_close(wide[:, band], (red + green + blue) / 3 * (3 / 4))


def test_repeat(red_green_blue):
    red, green, blue = red_green_blue
    kernel = torch.stack([red, green, blue], dim=1)
    four = [red / 2, green, blue, red / 2]
    torch.testing.assert_close(widen_kernel(kernel, 4, "repeat"), torch.stack(four, dim=1))
    eight = [red / 3, green / 3, blue / 2, red / 3, green / 3, blue / 2, red / 3, green / 3]
    torch.testing.assert_close(widen_kernel(kernel, 8, "repeat"), torch.stack(eight, dim=1))
    torch.testing.assert_close(
        widen_kernel(kernel, 2, "repeat"), torch.stack([red + blue, green], dim=1)
    )


@pytest.mark.parametrize("count", [6, 9])
def test_repeat_of_whole_times_is_that_of_timm(count, red_green_blue):
    from timm.models import adapt_input_conv

    kernel = red_green_blue.transpose(0, 1).contiguous()
    expected = adapt_input_conv(count, kernel.clone())
    torch.testing.assert_close(widen_kernel(kernel, count, "repeat"), expected)


@pytest.mark.parametrize("rule", RULES)
def test_one_channel_gets_the_sum(rule, red_green_blue):
    kernel = red_green_blue.transpose(0, 1).contiguous()
    torch.testing.assert_close(widen_kernel(kernel, 1, rule)[:, 0], red_green_blue.sum(0))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("config", "key"), BACKBONES.values(), ids=BACKBONES)
def test_equal_bands_give_the_same_features(config, key, rule, save_pretraining, tmp_path):
    exported = export_backbone(save_pretraining(config), tmp_path / "export").weights
    before = json.loads(exported.with_suffix(".json").read_text())
    grey = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    narrow = loaded(config, exported)
    for channels in (1, 5):
        path = local_backbone(str(exported), channels=channels, widen=rule)
        wide = loaded({**config, "in_channels": channels}, path)
        torch.testing.assert_close(
            wide(grey.expand(-1, channels, -1, -1)),
            narrow(grey.expand(-1, 3, -1, -1)),
            rtol=1e-4,
            atol=1e-4,
        )
        state, own = torch.load(path), torch.load(exported)
        assert [name for name in own if not torch.equal(own[name], state[name])] == [key]
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["widened"] == {"from": 3, "to": channels, "rule": rule}
        assert card["architecture"]["in_channels"] == channels
        for name in ("method", "pretraining", "sizes", "levels", "source", "kind"):
            assert card[name] == before[name]
    assert local_backbone(str(exported), channels=3) == exported


def loaded(config, path):
    backbone = MODELS.build(config)
    load_pretrained(backbone, path)
    backbone.eval()
    return lambda images: backbone(images)[-1]


def test_the_converter(save_pretraining, tmp_path, capsys):
    export_backbone(save_pretraining(CONVNEXT), tmp_path / "export")
    given = str(tmp_path / "export" / "backbone.pth")
    convert_file(source=given, destination=tmp_path / "four", channels=4, widen="repeat")
    assert "weights of 3 channels used for 4 (repeat)" in capsys.readouterr().out
    card = json.loads((tmp_path / "four" / "backbone.json").read_text())
    assert card["widened"] == {"from": 3, "to": 4, "rule": "repeat"}
    assert card["backbone_config"]["in_channels"] == 4
    load_pretrained(MODELS.build({**CONVNEXT, "in_channels": 4}), tmp_path / "four/backbone.pth")
    with pytest.raises(BenchError, match=r"--channels is for backbone folders .*; convert first"):
        convert_file(source=given, destination=tmp_path / "x", channels=4, to="timm")
    with pytest.raises(BenchError, match="--channels must be from 1 to 1024, got 5000"):
        convert_file(source=given, destination=tmp_path / "x", channels=5000)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("config", "key"), BACKBONES.values(), ids=BACKBONES)
def test_levels_are_those_of_the_maps(config, key):
    built = MODELS.build(config)
    levels = adapter_for(built).levels
    if config["type"] in ("mmpretrain.BEiTViT", "mmpretrain.VisionTransformer"):
        indices = (1,)
    else:
        indices = tuple(range(len(levels.strides)))
    backbone = MODELS.build({**config, "out_indices": indices})
    backbone.eval()
    maps = backbone(torch.zeros(1, 3, 64, 64))
    assert levels.channels == tuple(found.shape[1] for found in maps)
    assert levels.strides == tuple(64 // found.shape[2] for found in maps)
