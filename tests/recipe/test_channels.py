"""A recipe for images of other channels: every part of every config follows."""

from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmseg.structures import SegDataSample

from simmim_bench.errors import BenchError
from simmim_bench.recipe.channels import NEEDS_COLOURS, set_channels
from simmim_bench.registry import MODELS
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
LEAVES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.py")
    if not {"_base_", "robustness"} & set(path.relative_to(ROOT).parts)
)
BANDS = {
    "channels": 4,
    "value_range": (0, 65535),
    "mean": [90.0, 100.0, 110.0, 120.0],
    "std": [40.0, 50.0, 60.0, 70.0],
}
COLOURED = {
    "ablations/target-clusters_swin-b.py",
    "ablations/target-teacher_swin-b.py",
    "baselines/beit_vit-b_8xb256_300e.py",
    "generation/painting_coco-vgg16.py",
    "generation/painting_coco.py",
    "generation/painting_demo.py",
    "variants/beit_vit-demo.py",
    "variants/perceptual_swin-demo.py",
}
SIMMIM = "demo/simmim_swin-demo.py"


def parts(node):
    children = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict) and "type" in node:
        yield node
    for child in children if isinstance(node, (dict, list, tuple)) else ():
        yield from parts(child)


def changed(name, **other):
    cfg = read_config(ROOT / name)
    set_channels(cfg, **{**BANDS, **other})
    return cfg


def test_there_are_configs():
    assert len(LEAVES) > 150
    assert set(LEAVES) > COLOURED


@pytest.mark.parametrize("name", LEAVES)
def test_every_part_of_every_config_follows_or_is_refused(name):
    if name in COLOURED:
        with pytest.raises(BenchError, match=f"the recipe has ({'|'.join(NEEDS_COLOURS)}) and"):
            changed(name)
        return
    cfg = changed(name)
    found = list(parts(cfg.to_dict()))
    loaders = [part for part in found if str(part["type"]).endswith("LoadImage")]
    assert loaders
    assert all(part["channels"] == 4 and part["value_range"] == [0, 65535] for part in loaders)
    for part in found:
        for key in ("mean", "std", "fill_color", "fill_std"):
            value = part.get(key)
            assert not isinstance(value, list) or len(value) == 4, (part["type"], key)
    assert len(cfg.model.data_preprocessor.mean) == 4
    assert not {"to_rgb", "bgr_to_rgb"} & {k for k, on in cfg.model.data_preprocessor.items() if on}
    backbone = cfg.model.backbone
    assert (backbone.get("patch_cfg") or backbone).get("in_channels") == 4


def test_three_deep_channels_stay_colours():
    of_red = {"channels": 3, "mean": [1.0, 2.0, 3.0], "std": [4.0, 5.0, 6.0]}
    cfg = changed("imagenet/swin-b_8xb128_ft-100e.py", **of_red)
    (eraser,) = (
        p for p in cfg.train_dataloader.dataset.pipeline if p.type.endswith("RandomErasing")
    )
    assert eraser.fill_color == [3.0, 2.0, 1.0]  # images are BGR until the preprocessor
    assert eraser.fill_std == [6.0, 5.0, 4.0]
    assert cfg.model.data_preprocessor.mean == [1.0, 2.0, 3.0]
    assert cfg.model.data_preprocessor.to_rgb
    assert cfg.model.data_preprocessor.type == "ClsDataPreprocessor"
    changed("variants/perceptual_swin-demo.py", **of_red)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("variants/perceptual_swin-demo.py", "has FrozenFeatures and the images have 1 channel;"),
        ("variants/beit_vit-demo.py", "has BEiT and the images have 1 channel; its tokenizer"),
        ("ablations/target-clusters_swin-b.py", "has ColourClusters and the images have 1 chan"),
        ("ablations/target-teacher_swin-b.py", "has TeacherFeatures and the images have 1 chan"),
        ("generation/painting_demo.py", "has painting and the images have 1 channel; it compares"),
    ],
)
def test_what_needs_colours_says_so(name, sentence):
    with pytest.raises(BenchError, match=sentence):
        changed(name, channels=1, mean=[1.0], std=[1.0])


@pytest.mark.parametrize("channels", [1, 4, 16])
@pytest.mark.parametrize(
    ("scope", "name", "sample"),
    [
        ("mmpretrain", SIMMIM, None),
        ("mmpretrain", "demo/classification_swin-demo.py", None),
        ("mmdet", "demo/mask-rcnn_swin-demo_fpn.py", DetDataSample),
        ("mmseg", "demo/upernet_swin-demo.py", SegDataSample),
    ],
)
def test_preprocessors_normalise_each_channel(scope, name, sample, channels):
    mean = [10.0 * number for number in range(channels)]
    std = [number + 1.0 for number in range(channels)]
    cfg = changed(name, channels=channels, mean=mean, std=std)
    images = torch.rand(2, channels, 96, 128) * 255
    batch = {"inputs": images} if sample is None else {"inputs": list(images)}
    batch["data_samples"] = None if sample is None else [sample(), sample()]
    with DefaultScope.overwrite_default_scope(scope):
        preprocessor = MODELS.build(cfg.model.data_preprocessor)
    found = preprocessor(batch, False)["inputs"]
    for channel in range(channels):
        expected = (images[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(found[:, channel, :96, :128], expected)
