"""Backbones of every downstream config take what the pretraining config exports."""

import copy
from pathlib import Path

import pytest
import torch

from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
# Narrow and shallow stand-ins; windows, image sizes and options are the configs' own.
NARROW_VIT = {"embed_dims": 24, "num_layers": 3, "num_heads": 2, "feedforward_channels": 48}
NARROW = {
    "convnext-b": {"depths": [2, 2, 3, 2], "channels": [8, 16, 32, 64]},
    "resnet-50": None,
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
    "plain-vit-b": NARROW_VIT,
    "vit-b": NARROW_VIT,
}
# Bias tables that another window or image size resizes; blocks 0 and 1 of the detector's ViT
# are windowed and take the tables as they are. The plain ViT has its position embedding, which
# the detector keeps at pretraining's size.
RESIZED = {
    "imagenet/swin-b_8xb128_ft-100e.py": 8,
    "imagenet/swin-b-w6-192_8xb128_ft-100e.py": 0,
    "imagenet/swin-b-pt800_8xb128_ft-100e.py": 8,
    "imagenet/swin-l-w14-224_8xb128_ft-100e.py": 8,
    "imagenet/swin-b_8xb2048_linear-90e.py": 8,
    "imagenet/swin-b_knn.py": 8,
    "imagenet/vit-b_8xb2048_linear-90e.py": 0,
    "imagenet/vit-b_knn.py": 0,
    "imagenet/plain-vit-b_8xb128_ft-100e.py": 0,
    "imagenet/plain-vit-b_8xb2048_linear-90e.py": 0,
    "imagenet/plain-vit-b_knn.py": 0,
    "coco/mask-rcnn_plain-vit-b_fpn_100e.py": 0,
    "coco/faster-rcnn_plain-vit-b_fpn_100e.py": 0,
    "ade20k/upernet_plain-vit-b_160k.py": 1,
    "imagenet/convnext-b_8xb128_ft-100e.py": 0,
    "imagenet/resnet-50_8xb128_ft-100e.py": 0,
    "coco/cascade-mask-rcnn_swin-b_fpn_3x.py": 8,
    "coco/mask-rcnn_convnext-b_fpn_3x.py": 0,
    "coco/faster-rcnn_convnext-b_fpn_3x.py": 0,
    "coco/mask-rcnn_resnet-50_fpn_1x.py": 0,
    "coco/faster-rcnn_resnet-50_fpn_1x.py": 0,
    "coco/mask-rcnn_resnet-50_fpn_3x.py": 0,
    "coco/faster-rcnn_resnet-50_fpn_3x.py": 0,
    "coco/mask-rcnn_swinv2-b_fpn_1x.py": 0,
    "coco/faster-rcnn_swinv2-b_fpn_1x.py": 0,
    "coco/mask-rcnn_swinv2-b_fpn_3x.py": 0,
    "coco/faster-rcnn_swinv2-b_fpn_3x.py": 0,
    "ade20k/upernet_convnext-b_160k.py": 0,
    "ade20k/upernet_resnet-50_160k.py": 0,
    "ade20k/upernet_swinv2-b_160k.py": 0,
    "ade20k/upernet_swin-l_160k_640.py": 8,
    "ade20k/upernet_swin-b_160k_ms.py": 8,
    "ade20k/upernet_swin-l_160k_ms.py": 8,
    "ade20k/upernet_swinv2-h_160k_ms.py": 0,
    "coco/mask-rcnn_swin-b_fpn_lsj-36e.py": 8,
    "coco/mask-rcnn_swin-l_fpn_lsj-36e.py": 8,
    "coco/mask-rcnn_swinv2-h_fpn_lsj-36e.py": 0,
    "coco/retrieval_swin-b_30e.py": 8,
    "coco/mask-rcnn_swin-b_fpn_1x.py": 8,
    "coco/faster-rcnn_swin-b_fpn_1x.py": 8,
    "coco/mask-rcnn_swin-b_fpn_3x.py": 8,
    "coco/faster-rcnn_swin-b_fpn_3x.py": 8,
    "ade20k/upernet_swin-b_160k.py": 8,
    "imagenet/swinv2-b-w14-224_8xb128_ft-100e.py": 0,
    "imagenet/swinv2-h-w14-224_32xb32_ft-100e.py": 0,
    "imagenet/swinv2-h-w32-512_128xb8_ft-100e.py": 0,
    "imagenet/vit-b_8xb128_ft-100e.py": 0,
    "coco/mask-rcnn_vit-b_fpn_100e.py": 1,
    "coco/faster-rcnn_vit-b_fpn_100e.py": 1,
    "ade20k/upernet_vit-b_160k.py": 3,
    "ade20k/upernet-beit_vit-b_160k.py": 3,
}
PRETRAINING = {
    "convnext-b": "convnext-b_8xb128",
    "plain-vit-b": "plain-vit-b_8xb128",
    "resnet-50": "resnet-50_8xb128",
    "swin-b": "swin-b_8xb128",
    "swin-l": "swin-l_8xb128_800e",
    "swinv2-b": "swinv2-b_8xb128_800e",
    "swinv2-h": "swinv2-h_32xb32_800e",
    "vit-b": "vit-b_8xb128",
}


def narrow_backbone(name):
    config = read_config(ROOT / name)
    backbone = copy.deepcopy(config.model.backbone)
    family = max((known for known in NARROW if known in name), key=len)
    if family == "resnet-50":
        backbone.update(base_channels=8, stem_channels=8, norm_cfg={"type": "BN"})
    else:
        backbone.arch = NARROW[family]
    if family.endswith("vit-b") and "pretraining" not in config:
        backbone.out_indices = [2]
    if "global_blocks" in backbone:
        backbone.global_blocks = (2,)
        backbone.img_size = min(backbone.img_size, 256)  # 4096 x 4096 positions are not needed
    return family, dict(backbone)


def test_every_downstream_config_is_covered():
    folders = ("imagenet", "coco", "ade20k")
    found = {f"{folder}/{path.name}" for folder in folders for path in (ROOT / folder).glob("*.py")}
    assert found == set(RESIZED)


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
    name, first = next(iter(torch.load(exported, weights_only=True).items()))
    assert torch.equal(backbone.state_dict()[name], first)


@pytest.mark.parametrize("name", sorted(RESIZED))
def test_every_parameter_gets_a_gradient(name):
    """Distributed training stops at a parameter that has none."""
    _, config = narrow_backbone(name)
    backbone = MODELS.build({**config, **({} if "depth" in config else {"drop_path_rate": 0.0})})
    size = config.get("img_size", 64)
    outputs = backbone(torch.randn(2, 3, size, size))
    sum(output.square().mean() for output in outputs).backward()
    assert [n for n, p in backbone.named_parameters() if p.grad is None] == []
