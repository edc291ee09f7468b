"""A recipe at another image size: every part of every config follows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import build_strategy
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.recipe.image_size import described, set_image_size
from simmim_bench.registry import MODELS
from simmim_bench.training.mistakes import config_mistakes
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    if not {"_base_", "generation", "robustness"} & set(path.relative_to(ROOT).parts)
)
OTHER = {
    64: 96,
    96: 192,
    128: 192,
    192: 256,
    224: 384,
    256: 320,
    360: 300,
    480: 384,
    512: 384,
    640: 576,
}
OTHER |= {800: 640, 1024: 768}
"""Another size for each that recipes have."""
LENGTHS = ("scale", "scales", "size", "second_size", "crop_size", "img_size", "pad_size_divisor")
LENGTHS += ("image_size",)
SIMMIM, SWIN_B = "demo/simmim_swin-demo.py", "imagenet/swin-b_8xb128_ft-100e.py"


def stated(cfg):
    return (cfg.get("pretraining") or cfg.protocol).image_size


def changed(name, size=None):
    cfg = read_config(ROOT / name)
    old = stated(cfg)
    old = old if isinstance(old, int) else min(old)
    set_image_size(cfg, size or OTHER[old], f"configs/{name}")
    return cfg, old


def lengths(node, place="", inside=False):
    """Every number below an argument that may be a length in pixels, with its place."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        length = inside or key in LENGTHS
        if isinstance(value, (dict, list, tuple)):
            yield from lengths(value, f"{place}.{key}", length and not isinstance(value, dict))
        elif length:
            yield f"{place}.{key}", value


def test_there_are_configs():
    assert len(LEAVES) > 150


@pytest.mark.parametrize("name", LEAVES)
def test_every_config_at_another_size(name):
    cfg, old = changed(name)
    assert list(config_mistakes(cfg)) == []
    size = stated(cfg)
    assert (size if isinstance(size, int) else min(size)) == OTHER[old]
    bases = ("swin_demo", "vit_demo", "plain_vit_demo", "by_backbone")  # are copied
    used = {key: value for key, value in cfg.to_dict().items() if key not in bases}
    left = [place for place, value in lengths(used) if value == old]
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEAVES if not name.startswith("any/")])
def test_every_model_is_built_at_another_size(name, monkeypatch):
    cfg, _ = changed(name)
    if "checkpoint" in str(cfg.model) or "palette" in str(cfg.model):
        pytest.skip("needs a file of weights or colours")
    real = torch.linspace  # rates of drop path, which are read as numbers
    monkeypatch.setattr(torch, "linspace", lambda *a, **k: real(*a, **{**k, "device": "cpu"}))
    with torch.device("meta"), DefaultScope.overwrite_default_scope(cfg.default_scope):
        MODELS.build(cfg.model)


@pytest.mark.parametrize(
    "name", [name for name in LEAVES if "mask_patch_size" in (ROOT / name).read_text()]
)
def test_masks_follow_the_image(name):
    cfg, _ = changed(name)
    for step in cfg.train_dataloader.dataset.pipeline:
        if str(step.type).endswith("GenerateMask") and step.get("strategy") != "semantic":
            options = {
                k: v for k, v in step.items() if k not in ("type", "strategy", "schedule", "seed")
            }
            strategy = build_strategy(step.get("strategy", "random"), **options)
            sides = (stated(cfg), stated(cfg))
            sample = {"img": np.zeros((*sides, 3), np.uint8)}
            noise = torch.from_numpy(strategy.numbers(sample, np.random.default_rng(0)))
            mask = strategy.masks(sides, noise.unsqueeze(0))
            assert mask.shape[1:] == tuple(side // step.token_size for side in sides)
            assert 0 < mask.float().mean() < 1


def test_evaluation_keeps_the_share_of_the_crop():
    cfg, _ = changed(SWIN_B, 384)
    kinds = {step.type: step for step in cfg.val_dataloader.dataset.pipeline}
    assert kinds["ResizeEdge"].scale == 438  # int(256 / 224 * 384), as SimMIM
    assert kinds["CenterCrop"].crop_size == 384
    assert cfg.model.backbone.img_size == 384
    assert cfg.protocol.image_size == 384


@pytest.mark.parametrize(
    ("name", "size", "windows"),
    [
        (SWIN_B, 192, 6),  # as the original at 192
        (SWIN_B, 256, 8),
        (SWIN_B, 448, 7),  # stays: it divides 14
        (SWIN_B, 352, 11),
        ("simmim/swin-b_8xb128.py", 224, 7),
        ("imagenet/swinv2-b-w14-224_8xb128_ft-100e.py", 192, [12, 12, 12, 6]),  # pretraining's
        ("simmim/swinv2-b_8xb128_800e.py", 224, [14, 14, 14, 7]),  # fine-tuning's
        ("demo/classification_swin-demo.py", 96, 4),  # pad_small_map
    ],
)
def test_windows(name, size, windows):
    cfg, _ = changed(name, size)
    assert cfg.model.backbone.window_size == windows


def test_windows_of_stage_cfgs():
    cfg, _ = changed("simmim/swin-l_8xb128_800e.py", 224)  # the sizes of its fine-tuning
    fine_tuned = read_config(ROOT / "imagenet/swin-l-w14-224_8xb128_ft-100e.py").model.backbone
    assert cfg.model.backbone.window_size == fine_tuned.window_size
    assert cfg.model.backbone.stage_cfgs == fine_tuned.stage_cfgs


def test_detection_keeps_the_aspect_and_scales_the_lists():
    cfg, _ = changed("coco/mask-rcnn_swin-b_fpn_3x.py", 640)
    choice = next(s for s in cfg.train_dataloader.dataset.pipeline if s.type == "RandomChoice")
    (large,), (small, crop, _) = choice.transforms
    assert large.scales[0] == (384, 1066)  # 480, 1333
    assert large.scales[-1] == (640, 1066)  # 800, 1333
    assert small.scales == [(320, 1066), (400, 1066), (480, 1066)]
    assert crop.crop_size == (307, 480)
    assert cfg.protocol.image_size == [640, 1066]
    padded, _ = changed("coco/mask-rcnn_vit-b_fpn_100e.py", 768)
    assert padded.model.data_preprocessor.pad_size_divisor == 768
    assert padded.model.backbone.img_size == 768
    assert padded.model.backbone.window_size == 14  # the token grid of pretraining


def test_segmentation_scales_windows_padding_and_scales_of_test_time():
    cfg, _ = changed("ade20k/upernet_vit-b_160k.py", 384)
    assert cfg.model.test_cfg.crop_size == (384, 384)
    assert cfg.model.test_cfg.stride == (255, 255)  # 341 of 512
    assert cfg.model.data_preprocessor.size == (384, 384)
    assert cfg.model.data_preprocessor.test_cfg.size == (384, 384)
    scales = [resize.scale for resize in cfg.tta_pipeline[1].transforms[0]]
    assert scales[0] == (768, 192)
    oblong, _ = changed("small/upernet_vit-demo.py", 136)
    assert oblong.protocol.image_size == [136, 184]  # 181.3, in patches of 8
    assert oblong.model.backbone.img_size == oblong.model.data_preprocessor["size"] == (136, 184)


def test_parts_that_count_patches():
    mae, _ = changed("baselines/mae_vit-b_8xb512_800e.py", 288)
    assert mae.model.neck.num_patches == 18**2
    beit, _ = changed("baselines/beit_vit-b_8xb256_300e.py", 288)
    steps = {step.type: step for step in beit.train_dataloader.dataset.pipeline}
    assert steps["BEiTMaskGenerator"].input_size == (18, 18)
    assert steps["BEiTMaskGenerator"].num_masking_patches == 124  # 75 of 196
    assert steps["RandomResizedCropAndInterpolationWithTwoPic"].second_size == 144


def test_the_size_of_the_recipe_changes_nothing():
    cfg, _ = changed(SIMMIM, 64)
    assert cfg.to_dict() == read_config(ROOT / SIMMIM).to_dict()


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        (
            "simmim/swin-b_8xb128.py",
            200,
            r"--image-size 200 does not fit configs/simmim/swin-b_8xb128.py: it must be divisible "
            r"by 32 \(mask patch size 32, stride of the last stage 32\); use 192 or 224",
        ),
        ("simmim/swin-b_8xb128.py", 32, "it must be at least 64; use 64"),
        ("small/cifar10_vit-demo.py", 100, r"by 8 \(patch size 8\); use 96 or 104"),
        ("small/cifar10_vit-demo.py", 3, "by 8 .*; use 8$"),
        (SWIN_B, 230, r"by 32 \(stride of the last stage 32, patch size 4\); use 224 or 256"),
        ("generation/painting_demo.py", 96, "reads images at the size of the pretraining; leave"),
    ],
)
def test_sizes_that_cannot_work(name, size, sentence):
    with pytest.raises(BenchError, match=sentence):
        changed(name, size)


def test_a_config_without_a_size():
    cfg = read_config(ROOT / SWIN_B)
    cfg.protocol.pop("image_size")
    with pytest.raises(BenchError, match="states no image_size in pretraining or protocol"):
        set_image_size(cfg, 256)


def test_overrides_come_last():
    changes = Changes(image_size=256, overrides=("model.backbone.window_size=4",))
    cfg = load_recipe(f"configs/{SWIN_B}", changes)
    assert cfg.model.backbone.window_size == 4
    assert described(cfg) == "images of 256 x 256 px; windows of 4"
