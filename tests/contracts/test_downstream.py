"""Every backbone, pretrained and exported, trains a step in every downstream task."""

from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.structures import InstanceData, PixelData

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.contracts.table import own_adapters

PARTS = Path(__file__).parents[2] / "configs" / "_base_" / "models"
SIZE, CLASSES, WIDTH = 64, 5, 16
LEVELS = (0, 1, 2, 3)
PYRAMID = ("mask-rcnn", "upernet")

SWIN = {
    "arch": {"embed_dims": 8, "depths": [2, 1, 2, 1], "num_heads": [1, 2, 2, 4]},
    "img_size": SIZE,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
SWIN_V2 = {**SWIN, "arch": {**SWIN["arch"], "extra_norm_every_n_blocks": 0}}
VIT = {
    "arch": {"embed_dims": 24, "num_layers": 4, "num_heads": 2, "feedforward_channels": 48},
    "img_size": SIZE,
    "patch_size": 16,
    "out_type": "featmap",
    "final_norm": True,
}
BEIT = {
    "layer_cfgs": {"ffn_cfg": {"add_identity": False, "dropout_layer": None}},
    "use_rel_pos_bias": False,
    "use_shared_rel_pos_bias": True,
}
DENSE_VIT = {"final_norm": False, "out_indices": LEVELS}
MEAN_OF_TOKENS = {"final_norm": False, "out_type": "avg_featmap"}
OWN_TABLES = {"use_rel_pos_bias": True, "use_shared_rel_pos_bias": False}
WINDOWS = {"window_size": 4, "global_blocks": (1, 3)}

BACKBONES = {
    "swin": {"type": "mmpretrain.SwinTransformer", **SWIN},
    "swinv2": {"type": "mmpretrain.SwinTransformerV2", **SWIN_V2},
    "vit": {"type": "mmpretrain.BEiTViT", **VIT, **BEIT},
    "plain_vit": {"type": "mmpretrain.VisionTransformer", **VIT},
    "resnet": {"type": "mmpretrain.ResNet", "depth": 18, "stem_channels": 8, "base_channels": 8},
    "convnext": {
        "type": "mmpretrain.ConvNeXt",
        "arch": {"depths": [1, 1, 2, 1], "channels": [8, 8, 16, 24]},
        "gap_before_final_norm": False,
    },
    "cnn": {
        "type": "simmim_bench.PlainCNN",
        "channels": (8, 8, 16, 24),
        "depths": (1, 1, 1, 1),
    },
    "timm": {"type": "simmim_bench.TimmFeatures", "model_name": "test_resnet"},
}
"""Small pretraining backbones by the name of their adapter."""

CHANGES = {
    "swin": {key: {"out_indices": LEVELS, "pad_small_map": True} for key in PYRAMID},
    "swinv2": {key: {"out_indices": LEVELS, "pad_small_map": True} for key in PYRAMID},
    "vit": {
        "classification": {**MEAN_OF_TOKENS, **OWN_TABLES},
        "mask-rcnn": {
            **DENSE_VIT,
            **OWN_TABLES,
            **WINDOWS,
            "type": "simmim_bench.WindowedBEiTViT",
            "out_indices": [3],
        },
        "upernet": {**DENSE_VIT, **OWN_TABLES},
    },
    "plain_vit": {
        "classification": MEAN_OF_TOKENS,
        "mask-rcnn": {
            **DENSE_VIT,
            **WINDOWS,
            "type": "simmim_bench.WindowedViT",
            "out_indices": [3],
        },
        "upernet": DENSE_VIT,
    },
    "resnet": {key: {"out_indices": LEVELS} for key in PYRAMID},
    "convnext": {
        "classification": {"gap_before_final_norm": True},
        **{key: {"out_indices": list(LEVELS)} for key in PYRAMID},
    },
    "cnn": {key: {"out_indices": LEVELS} for key in PYRAMID},
    "timm": {key: {"out_indices": (1, 2, 3, 4)} for key in PYRAMID},
}
"""What a task changes in the backbone, as docs/backbones.md says."""

NEW = {
    "swin": {"classification": 0, "mask-rcnn": 6, "upernet": 6},
    "swinv2": {"classification": 0, "mask-rcnn": 6, "upernet": 6},
    "vit": {"classification": 2, "mask-rcnn": 0, "upernet": 0},
    "plain_vit": {"classification": 2, "mask-rcnn": 0, "upernet": 0},
    "convnext": {"classification": 0, "mask-rcnn": 6, "upernet": 6},
}
"""Parameters that a task adds: norms of earlier levels, or of the mean of the tokens."""


def small(value, key=None):
    """``value`` of one of our configs with narrow heads and few classes."""
    if isinstance(value, dict):
        return {name: small(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(small(inner, key) for inner in value)
    if key == "num_classes":
        return CLASSES
    return WIDTH if key is not None and key.endswith("channels") and value != 3 else value


def part(name):
    return small(Config.fromfile(PARTS / f"{name}.py").model.to_dict())


def classification(backbone, spec):
    model = part("classifier")
    model["head"] |= {"in_channels": spec.channels[-1]}
    vectors = backbone.get("out_type") == "avg_featmap" or backbone.get("gap_before_final_norm")
    neck = None if vectors else {"type": "GlobalAveragePooling"}
    return {**model, "backbone": backbone, "neck": neck, "_scope_": "mmpretrain"}


def mask_rcnn(backbone, spec):
    if len(spec.channels) == 1:
        neck = {"type": "simmim_bench.SimpleFeaturePyramid", "in_channels": spec.channels[0]}
    else:
        neck = {"type": "FPN", "in_channels": list(spec.channels), "num_outs": 5}
    neck["out_channels"] = WIDTH
    return {**part("mask-rcnn"), "backbone": backbone, "neck": neck, "_scope_": "mmdet"}


def upernet(backbone, spec):
    model, channels = part("upernet"), list(spec.channels)
    model["data_preprocessor"] |= {"size": (SIZE, SIZE)}
    model["decode_head"] |= {"in_channels": channels, "channels": WIDTH}
    model["auxiliary_head"] |= {"in_channels": channels[2]}
    if len(set(spec.strides)) == 1:
        rescales, norm = [4, 2, 1, 0.5], {"type": "BN"}
        neck = {"type": "Feature2Pyramid", "embed_dim": channels[0], "rescales": rescales}
        model["neck"] = {**neck, "norm_cfg": norm}
    return {**model, "backbone": backbone, "_scope_": "mmseg"}


def class_samples():
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(label) for label in (0, 3)]


def box_samples():
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks

    sample = DetDataSample(metainfo={"img_shape": (SIZE, SIZE), "ori_shape": (SIZE, SIZE)})
    boxes = torch.tensor([[4.0, 8.0, 40.0, 44.0], [20.0, 20.0, 60.0, 60.0]])
    masks = torch.zeros(2, SIZE, SIZE, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    sample.gt_instances = InstanceData(
        bboxes=boxes, labels=torch.tensor([1, 4]), masks=BitmapMasks(masks.numpy(), SIZE, SIZE)
    )
    return [sample, sample.clone()]


def pixel_samples():
    from mmseg.structures import SegDataSample

    labels = torch.arange(SIZE).expand(1, SIZE, SIZE) % CLASSES
    sample = SegDataSample(metainfo={"img_shape": (SIZE, SIZE)})
    sample.gt_sem_seg = PixelData(data=labels)
    return [sample, sample.clone()]


TASKS = {
    "classification": (classification, class_samples),
    "mask-rcnn": (mask_rcnn, box_samples),
    "upernet": (upernet, pixel_samples),
}


def test_every_adapter_is_covered():
    assert sorted(BACKBONES) == [adapter.name for adapter in own_adapters()]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", BACKBONES)
def test_it_is_loaded_strictly_and_trains_a_step(name, task, save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(BACKBONES[name]), tmp_path / "export").weights
    backbone = {**BACKBONES[name], **CHANGES[name].get(task, {})}
    build, samples = TASKS[task]
    torch.manual_seed(1)
    spec = adapter_for(MODELS.build(dict(backbone))).feature_spec
    model = MODELS.build(ConfigDict(build(backbone, spec)))
    model = revert_sync_batchnorm(model)
    model.init_weights()
    model.train()

    report = load_pretrained(model.backbone, weights)
    assert adapter_for(model.backbone).name == name
    assert len(report.missing) == NEW.get(name, {}).get(task, 0)
    exported = torch.load(weights, weights_only=True)
    own = model.backbone.state_dict()
    stem = next(key for key in exported if key.endswith("weight"))
    assert torch.equal(own[stem], exported[stem])
    assert set(own) == {*report.matched, *report.missing, *report.recomputed}

    random = partial(torch.randint, 256, (3, SIZE, SIZE), dtype=torch.uint8)
    data = {"inputs": [random(), random()], "data_samples": samples()}
    losses = model(**model.data_preprocessor(data, training=True), mode="loss")
    loss, _ = model.parse_losses(losses)
    assert loss.isfinite()
    loss.backward()
    grads = {key: value.grad for key, value in model.backbone.named_parameters()}
    assert [key for key, grad in grads.items() if grad is None] == []
    assert grads[stem].isfinite().all()
    assert grads[stem].abs().sum() > 0
