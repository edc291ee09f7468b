"""Sizes of the backbones in configs/_base_/models against timm's models and published figures."""

import functools
from pathlib import Path

import pytest
import timm
import torch

from simmim_bench.registry import MODELS
from simmim_bench.training.cost import backbone_flops
from tests.configs.reader import read_config

MODELS_DIR = Path(__file__).parents[2] / "configs" / "_base_" / "models"
SWIN = {"img_size": 224, "window_size": 7}
V2 = {"img_size": 256, "window_size": 8}
BEIT = {"img_size": 224, "use_rel_pos_bias": True, "final_norm": False, "out_type": "avg_featmap"}
PLAIN = {"img_size": 224, "out_type": "cls_token", "final_norm": True}
# File, options, timm's model without its classifier.
LIKE_TIMM = [
    ("swin-t", SWIN, "swin_tiny_patch4_window7_224"),
    ("swin-s", SWIN, "swin_small_patch4_window7_224"),
    ("swin-b", SWIN, "swin_base_patch4_window7_224"),
    ("swin-l", SWIN, "swin_large_patch4_window7_224"),
    ("swinv2-t", V2, "swinv2_tiny_window8_256"),
    ("swinv2-s", V2, "swinv2_small_window8_256"),
    ("swinv2-b", V2, "swinv2_base_window8_256"),
    ("swinv2-l", {"img_size": 256, "window_size": [16, 16, 16, 8]},
     "swinv2_large_window12to16_192to256"),
    ("vit-b", BEIT, "beit_base_patch16_224"),
    ("vit-l", BEIT, "beit_large_patch16_224"),
    ("plain-vit-s", PLAIN, "vit_small_patch16_224"),
    ("plain-vit-b", PLAIN, "vit_base_patch16_224"),
    ("plain-vit-l", PLAIN, "vit_large_patch16_224"),
    ("resnet-50", {}, "resnet50"),
    ("convnext-b", {}, "convnext_base"),
]  # fmt: skip


def count(module):
    return sum(value.numel() for value in module.parameters())


@pytest.fixture(autouse=True)
def no_memory(monkeypatch):
    """Weights without memory; drop path rates, which are read, have some."""
    monkeypatch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))
    with torch.device("meta"):
        yield


def build(name, options):
    cfg = read_config(MODELS_DIR / f"{name}.py")
    assert cfg.backbone_init == "original"
    return MODELS.build({**cfg[name.replace("-", "_")], **options})


@pytest.mark.parametrize(("name", "options", "other"), LIKE_TIMM)
def test_as_many_parameters_as_timms_model(name, options, other):
    assert count(build(name, options)) == count(timm.create_model(other, num_classes=0))


def test_swinv2_h_has_658_million():
    """https://arxiv.org/abs/2111.09883, table 2; the classifier of 1000 is counted there."""
    options = {"img_size": 224, "window_size": [14, 14, 14, 7]}
    backbone = build("swinv2-h", options)
    classifier = (8 * 352 + 1) * 1000
    assert (count(backbone) + classifier) / 1e6 == pytest.approx(658, abs=1)


def test_every_backbone_has_a_size_test():
    tested = {name for name, _, _ in LIKE_TIMM} | {"swinv2-h", "vit-s"}
    backbones = {
        path.stem
        for path in MODELS_DIR.glob("*.py")
        if not path.stem.endswith("-demo")
        for value in read_config(path).to_dict().values()
        if isinstance(value, dict) and value.get("type", "").startswith("mmpretrain.")
    }
    assert backbones == tested


def test_vit_s_is_vit_b_at_half_the_width():
    small, base = (build(name, BEIT) for name in ("vit-s", "vit-b"))
    assert (small.embed_dims, base.embed_dims) == (384, 768)
    assert len(small.layers) == len(base.layers) == 12
    assert count(small) + 385 * 1000 == pytest.approx(22e6, rel=0.005)  # DeiT-S, table 1


# Multiply-adds in billions that the papers print: Swin table 1, Swin V2 table 4 (256 px), DeiT
# table 5, ConvNeXt table 9, timm's results for ResNet-50.
PUBLISHED = [
    ("swin-t", SWIN, 4.5),
    ("swin-s", SWIN, 8.7),
    ("swin-b", SWIN, 15.4),
    ("swinv2-t", V2, 5.9),
    ("swinv2-b", V2, 20.3),
    ("plain-vit-s", PLAIN, 4.6),
    ("plain-vit-b", PLAIN, 17.5),
    ("vit-b", BEIT, 17.5),
    ("convnext-b", {}, 15.4),
    ("resnet-50", {}, 4.1),
]


@pytest.mark.parametrize(("name", "options", "billions"), PUBLISHED)
def test_flops_are_the_published_ones(name, options, billions):
    size = 256 if options is V2 else 224
    counted = backbone_flops(build(name, options), (size, size))
    assert counted / 2 / 1e9 == pytest.approx(billions, abs=0.1)


def test_a_backbone_that_takes_a_mask_is_counted_without():
    options = {"img_size": 64, "use_rel_pos_bias": False, "out_type": "raw"}
    plain = build("vit-s", options)
    config = {**read_config(MODELS_DIR / "vit-s.py").vit_s, **options}
    config.pop("with_cls_token")
    config.pop("bias", None)
    taking = MODELS.build({**config, "type": "mmpretrain.BEiTPretrainViT"})
    assert backbone_flops(taking, (64, 64)) == backbone_flops(plain, (64, 64))


def test_attention_is_counted_on_a_cpu(monkeypatch):
    on_meta = backbone_flops(build("plain-vit-s", PLAIN), (224, 224))
    with torch.device("cpu"):
        assert backbone_flops(build("plain-vit-s", PLAIN), (224, 224)) == on_meta
