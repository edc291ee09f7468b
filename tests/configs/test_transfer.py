"""Backbones of every downstream config take what the pretraining config exports."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from simmim_bench.checkpoint.export import export_backbone
from simmim_bench.finetune.pretrained import load_pretrained
from simmim_bench.registry import MODELS

ROOT = Path(__file__).parents[2] / "configs"
# Narrow and shallow stand-ins; windows, image sizes and options are the configs' own.
NARROW = {
    "swin-b": {"embed_dims": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "swin-l": {"embed_dims": 16, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4]},
    "swinv2-b": {
        "embed_dims": 8,
        "depths": [2, 2, 2, 2],
        "num_heads": [1, 2, 2, 4],
        "extra_norm_every_n_blocks": 0,
    },
    "swinv2-h": {
        "embed_dims": 8,
        "depths": [2, 2, 6, 2],
        "num_heads": [1, 2, 2, 4],
        "extra_norm_every_n_blocks": 6,
    },
    "vit-b": {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48},
}
# Bias tables that another window or image size resizes; blocks 0 and 1 of the detector's ViT
# are windowed and take the tables as they are.
RESIZED = {
    "imagenet/swin-b_8xb128_ft-100e.py": 8,
    "imagenet/swin-b-w6-192_8xb128_ft-100e.py": 0,
    "imagenet/swin-b-pt800_8xb128_ft-100e.py": 8,
    "imagenet/swin-l-w14-224_8xb128_ft-100e.py": 8,
    "imagenet/swin-b_8xb2048_linear-90e.py": 8,
    "imagenet/swin-b_knn.py": 8,
    "imagenet/vit-b_8xb2048_linear-90e.py": 0,
    "imagenet/vit-b_knn.py": 0,
    "coco/mask-rcnn_swin-b_fpn_1x.py": 8,
    "coco/mask-rcnn_swin-b_fpn_3x.py": 8,
    "ade20k/upernet_swin-b_160k.py": 8,
    "imagenet/swinv2-b-w14-224_8xb128_ft-100e.py": 0,
    "imagenet/swinv2-h-w14-224_32xb32_ft-100e.py": 0,
    "imagenet/swinv2-h-w32-512_128xb8_ft-100e.py": 0,
    "imagenet/vit-b_8xb128_ft-100e.py": 0,
    "coco/mask-rcnn_vit-b_fpn_100e.py": 1,
    "ade20k/upernet_vit-b_160k.py": 3,
}
PRETRAINING = {
    "swin-b": "swin-b_8xb128",
    "swin-l": "swin-l_8xb128_800e",
    "swinv2-b": "swinv2-b_8xb128_800e",
    "swinv2-h": "swinv2-h_32xb32_800e",
    "vit-b": "vit-b_8xb128",
}


def narrow_backbone(name):
    config = Config.fromfile(ROOT / name)
    backbone = copy.deepcopy(config.model.backbone)
    [family] = [known for known in NARROW if known in name]
    backbone.arch = NARROW[family]
    if family == "vit-b" and "pretraining" not in config:
        backbone.out_indices = [2]
    if "global_blocks" in backbone:
        backbone.global_blocks = (2,)
        backbone.img_size = 256  # 4096 x 4096 positions are not needed here
    return family, dict(backbone)


def test_every_downstream_config_is_covered():
    folders = ("imagenet", "coco", "ade20k")
    assert {
        f"{folder}/{path.name}" for folder in folders for path in (ROOT / folder).glob("*.py")
    } == set(RESIZED)


@pytest.mark.parametrize("name", sorted(RESIZED))
def test_it_loads_strictly_and_resizes_what_its_sizes_ask_for(name, save_pretraining, tmp_path):
    family, config = narrow_backbone(name)
    _, pretraining = narrow_backbone(f"simmim/{PRETRAINING[family]}.py")
    exported = export_backbone(save_pretraining(pretraining), tmp_path / "export").weights
    backbone = MODELS.build(config)
    report = load_pretrained(backbone, exported)
    assert len(report.resized) == RESIZED[name]
    loaded = set(report.matched) | set(report.recomputed)
    assert set(backbone.state_dict()) == loaded | set(report.missing)
    stem = torch.load(exported, weights_only=True)["patch_embed.projection.weight"]
    assert torch.equal(backbone.patch_embed.projection.weight, stem)


@pytest.mark.parametrize("name", sorted(RESIZED))
def test_every_parameter_gets_a_gradient(name):
    """Distributed training stops at a parameter that has none."""
    _, config = narrow_backbone(name)
    backbone = MODELS.build({**config, "drop_path_rate": 0.0})
    outputs = backbone(torch.randn(1, 3, config["img_size"], config["img_size"]))
    sum(output.square().mean() for output in outputs).backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []
