"""Small backbones of every kind that has attention, and images."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from simmim_bench.registry import MODELS
from tests.e2e.conftest import data  # noqa: F401  (a fixture)

SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 4,
    "pad_small_map": True,
    "drop_path_rate": 0.0,
}
SWIN_V2 = {
    "type": "mmpretrain.SwinTransformerV2",
    "arch": {**SWIN["arch"], "extra_norm_every_n_blocks": 0},
    "img_size": 64,
    "window_size": [4, 4, 4, 2],
    "drop_path_rate": 0.0,
}
ARCH = {"embed_dims": 16, "num_layers": 3, "num_heads": 2, "feedforward_channels": 32}
BEIT = {
    "type": "mmpretrain.BEiTViT",
    "arch": ARCH,
    "img_size": 64,
    "patch_size": 16,
    "out_type": "featmap",
    "use_rel_pos_bias": True,
    "layer_cfgs": {"ffn_cfg": {"add_identity": False, "dropout_layer": None}},
}
VIT = {
    "type": "mmpretrain.VisionTransformer",
    "arch": ARCH,
    "img_size": 64,
    "patch_size": 16,
    "out_type": "featmap",
}
RESNET = {"type": "mmpretrain.ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8}


def build(config, **changes):
    """The backbone with weights far from 0, so that attention is far from uniform."""
    torch.manual_seed(0)
    backbone = MODELS.build({**config, **changes})
    backbone.init_weights()
    for name, parameter in backbone.named_parameters():
        if "qkv.weight" in name or "relative_position_bias_table" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    backbone.eval()  # returns None
    return backbone


@pytest.fixture(scope="module", autouse=True)
def environment():
    """What the tool sets for its own process does not outlive its tests."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def batch():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Twelve images of two classes that differ in colour, in folders by class."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 120, (40, 50, 3))
        pixels[..., number % 2] += 130
        path = root / ("red", "green<b>")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return root
