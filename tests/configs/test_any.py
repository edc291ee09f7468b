"""Recipes of ``configs/any``, filled with the backbone of some weights."""

from pathlib import Path

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.recipe.any_backbone import (
    backbone_name,
    check_filled,
    fill_backbone,
    is_open,
)
from simmim_bench.training.mistakes import config_mistakes
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(path.stem for path in (ROOT / "any").glob("*.py"))
PYRAMID = {"strides": [4, 8, 16, 32], "channels": [128, 256, 512, 1024]}
COLUMN = {"strides": [16], "channels": [768]}
BLOCKS = {"num_layers": 12}
# pretraining config, adapter, levels, and what ``architecture`` says of the depth
BACKBONES = {
    "swin-b": ("swin-b_8xb128", "swin", PYRAMID, {}),
    "swinv2-b": ("swinv2-b_8xb128_800e", "swinv2", PYRAMID, {}),
    "convnext-b": ("convnext-b_8xb128", "convnext", PYRAMID, {}),
    "resnet-50": (
        "resnet-50_8xb128", "resnet", {**PYRAMID, "channels": [256, 512, 1024, 2048]}, {}
    ),
    "vit-b": ("vit-b_8xb128", "vit", COLUMN, BLOCKS),
    "plain-vit-b": ("plain-vit-b_8xb128", "plain_vit", COLUMN, BLOCKS),
}  # fmt: skip
SAME = {
    "imagenet_knn": "imagenet/{}_knn",
    "imagenet_linear-90e": "imagenet/{}_8xb2048_linear-90e",
    "imagenet_ft-100e": "imagenet/{}_8xb128_ft-100e",
    "coco_mask-rcnn_fpn_1x": "coco/mask-rcnn_{}_fpn_1x",
    "coco_mask-rcnn_fpn_3x": "coco/mask-rcnn_{}_fpn_3x",
    "coco_faster-rcnn_fpn_1x": "coco/faster-rcnn_{}_fpn_1x",
    "coco_mask-rcnn_plain-vit_100e": "coco/mask-rcnn_{}_fpn_100e",
    "ade20k_upernet_160k": "ade20k/upernet_{}_160k",
    "ade20k_upernet_plain-vit_160k": "ade20k/upernet_{}_160k",
}
"""A recipe of any backbone, and those of each backbone that it has to equal."""
DEFAULTS = {"frozen_stages": -1, "norm_eval": False, "out_indices": None}
"""Options of the backbone that either of two configs may leave out."""


def card_of(name):
    config, adapter, levels, architecture = BACKBONES[name]
    return {
        "adapter": adapter,
        "architecture": architecture,
        "levels": levels,
        "backbone_config": read_config(ROOT / f"simmim/{config}.py").model.backbone.to_dict(),
        "pretraining": {"backbone": name},
    }


def filled(leaf, backbone):
    cfg = read_config(ROOT / f"any/{leaf}.py")
    assert is_open(cfg)
    fill_backbone(cfg, card_of(backbone), f"configs/any/{leaf}.py")
    return cfg


def plain(value):
    """Lists for tuples, and the model's backbone without defaults."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def pairs():
    for leaf, pattern in SAME.items():
        for backbone in BACKBONES:
            same = pattern.format(backbone).replace("swinv2-b_8xb128", "swinv2-b-w14-224_8xb128")
            one = "vit" in backbone
            if (ROOT / f"{same}.py").is_file() and (
                "upernet" not in leaf or one == ("vit" in leaf)
            ):
                yield leaf, backbone, same


def test_there_are_pairs_of_every_recipe_and_backbone():
    found = list(pairs())
    assert len(found) > 20
    assert {leaf for leaf, _, _ in found} == set(SAME)
    assert {backbone for _, backbone, _ in found} == set(BACKBONES)


@pytest.mark.parametrize(("leaf", "backbone", "same"), list(pairs()))
def test_a_filled_recipe_is_that_of_the_backbone(leaf, backbone, same):
    mine, other = filled(leaf, backbone), read_config(ROOT / f"{same}.py")
    for cfg in (mine, other):
        for option in DEFAULTS:
            cfg.model.backbone.pop(option, None)
    for key in other:
        if key != backbone.replace("-", "_"):  # the backbone's own variable
            assert plain(mine._cfg_dict.to_dict())[key] == plain(other._cfg_dict.to_dict())[key]


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_filled_recipe_has_no_mistake_or_is_refused(leaf, backbone):
    one, dense = "vit" in backbone, leaf.startswith(("coco_", "ade20k_upernet"))
    if dense and one != ("plain-vit" in leaf):
        said = "has plain-vit" if one else "does not have plain-vit"
        with pytest.raises(BenchError, match=rf"{leaf}.py is for backbones of .*{said} in its"):
            filled(leaf, backbone)
        return
    cfg = filled(leaf, backbone)
    assert list(config_mistakes(cfg)) == []
    assert cfg.backbone_name == backbone
    assert cfg.by_backbone == {}
    check_filled(cfg, leaf)


@pytest.mark.parametrize(
    ("backbone", "indices", "channels"),
    [
        ("swin-b", (0, 1, 2, 3), 128 + 256 + 512 + 1024),
        ("vit-b", [8, 9, 10, 11], 4 * 768),
        ("plain-vit-b", [8, 9, 10, 11], 4 * 768),
    ],
)
def test_a_depth_probe_sees_the_last_four_layers(backbone, indices, channels):
    for leaf, size in (("demo_depth-linear", 96), ("nyu_depth-linear", (480, 640))):
        model = filled(leaf, backbone).model
        assert model.backbone.out_indices == indices
        assert model.decode_head.in_channels == channels
        if backbone == "swin-b":
            assert model.backbone.pad_small_map
        else:
            assert model.backbone.img_size == size
            assert model.backbone.out_type == "featmap"


def test_two_levels_are_no_pyramid():
    card = {**card_of("resnet-50"), "levels": {"strides": [8, 16], "channels": [64, 128]}}
    cfg = read_config(ROOT / "any/mask-rcnn.py")
    with pytest.raises(BenchError, match=r"one stride, or four and more; .* has strides 8, 16"):
        fill_backbone(cfg, card, "configs/any/mask-rcnn.py")


def test_the_finest_level_of_five_is_left_out():
    levels = {"strides": [2, 4, 8, 16, 32], "channels": [64, 64, 128, 256, 512]}
    card = {**card_of("resnet-50"), "adapter": "timm", "levels": levels}
    card["backbone_config"] = {"type": "simmim_bench.TimmFeatures", "model_name": "resnet18"}
    cfg = read_config(ROOT / "any/demo_upernet.py")
    fill_backbone(cfg, card, "demo_upernet")
    assert cfg.model.backbone.out_indices == (1, 2, 3, 4)
    assert cfg.model.decode_head.in_channels == [64, 128, 256, 512]
    assert cfg.model.auxiliary_head.in_channels == 256


def test_anchors_of_a_patch_of_8_are_as_large_as_those_of_16():
    card = card_of("plain-vit-b")
    card["levels"] = {"strides": [8], "channels": [768]}
    cfg = read_config(ROOT / "any/mask-rcnn.py")
    fill_backbone(cfg, card, "mask-rcnn")
    anchors = cfg.model.rpn_head.anchor_generator
    assert (anchors.strides, anchors.scales) == ([2, 4, 8, 16, 32], [8])
    assert cfg.model.roi_head.mask_roi_extractor.featmap_strides == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("adapter", "architecture", "name"),
    [
        ("swin", {"embed_dims": 96, "depths": [2, 2, 6, 2]}, "swin-t"),
        ("swinv2", {"embed_dims": 192, "depths": [2, 2, 18, 2]}, "swinv2-l"),
        ("plain_vit", {"embed_dims": 384}, "plain-vit-s"),
        ("vit", {"embed_dims": 100}, "vit"),
        ("resnet", {"depth": 101}, "resnet-101"),
        ("timm", {"model_name": "resnet10t"}, "resnet10t"),
    ],
)
def test_a_backbone_without_a_name_gets_that_of_its_size(adapter, architecture, name):
    card = {"adapter": adapter, "architecture": architecture, "pretraining": {"backbone": adapter}}
    assert backbone_name(card) == name
    card["pretraining"]["backbone"] = "my-own"
    assert backbone_name(card) == "my-own"


def test_an_open_recipe_says_where_its_backbone_comes_from():
    with pytest.raises(BenchError, match=r"knn.py takes its backbone from weights: pass --pretr"):
        check_filled(read_config(ROOT / "any/knn.py"), "configs/any/knn.py")
