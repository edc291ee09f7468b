"""Every config: it loads, says what it is, builds, and its name matches its values."""

import functools
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, METRICS, PARAM_SCHEDULERS, TRANSFORMS, DefaultScope

from simmim_bench.config import datasets
from simmim_bench.records.manifest import Pretraining
from simmim_bench.records.protocols import Protocol
from simmim_bench.registry import MODELS
from simmim_bench.training.mistakes import config_mistakes
from simmim_bench.weights.safe_config import check_config
from tests.configs.expected import (
    ARCHITECTURES,
    CROPS,
    EPOCHS,
    EVALUATED,
    FINE_TUNING,
    FINE_TUNING_RATE,
    FROZEN,
    FULL_SIZE,
    LINEAR_RATE,
    MAY_BE_FIXED,
    PARTLY_FIXED,
    PUBLISHED,
    RATES,
)
from tests.configs.reader import read_config, wrapper_of

ROOT = Path(__file__).parents[2] / "configs"
ALL = sorted(  # ablations, variants and configs of any backbone have tests of their own
    str(path.relative_to(ROOT))
    for path in ROOT.rglob("*.py")
    if not {"_base_", "ablations", "any", "generation", "robustness", "variants"}
    & {*path.relative_to(ROOT).parts}
)


@functools.cache
def load(name):
    return read_config(ROOT / name)


@pytest.fixture(params=ALL)
def name(request):
    return request.param


@pytest.fixture
def cfg(name):
    """The config, with its library as the default scope."""
    config = load(name)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        yield config


@pytest.fixture
def model(cfg, monkeypatch):
    """The full-size model without memory for its weights."""
    return without_memory(cfg.model, monkeypatch)


def without_memory(config, monkeypatch):
    linspace = functools.partial(torch.linspace, device="cpu")  # drop path rates are read
    monkeypatch.setattr(torch, "linspace", linspace)
    with torch.device("meta"):
        return MODELS.build(config)


def test_the_full_size_configs_are_these_and_there_are_others():
    assert {name for name in ALL if not name.startswith(("demo/", "small/"))} == FULL_SIZE
    assert {name.split("/")[0] for name in ALL} >= {"demo", "small"}


def test_its_checkpoints_can_be_built(name, cfg):
    """No part of it is refused once it is read from a checkpoint."""
    whole = "pretraining" in cfg or cfg.protocol.task == "classification"
    parts = {"model": cfg.model, "model.backbone": cfg.model.get("backbone")}
    for entry in ("model", "model.backbone") if whole else ("model.backbone",):
        if parts[entry] is not None:
            check_config(parts[entry], source=name, entry=entry, scope=cfg.default_scope)


def test_it_states_its_pretraining_or_its_protocol(cfg):
    assert ("pretraining" in cfg) != ("protocol" in cfg)
    if "pretraining" in cfg:
        stated = Pretraining(**cfg.pretraining)
        assert stated.epochs == cfg.train_cfg.max_epochs
        assert stated.image_size == cfg.model.backbone.get("img_size", stated.image_size)
        return
    protocol = Protocol(**cfg.protocol)
    length = protocol.epochs or protocol.iterations
    assert length == cfg.train_cfg["max_epochs" if protocol.epochs else "max_iters"]
    assert set(protocol.metrics.values()) <= EVALUATED[cfg.val_evaluator.type]
    assert cfg.backbone_name
    assert not cfg.model.backbone.get("init_cfg")


def test_it_has_no_mistake(cfg):
    assert list(config_mistakes(cfg)) == []


def test_validation_and_test_are_the_same(cfg):
    if "protocol" in cfg:
        assert cfg.test_dataloader == cfg.val_dataloader
        assert cfg.test_evaluator == cfg.val_evaluator


def test_data_are_found_through_the_environment(name, monkeypatch):
    monkeypatch.delenv("SIMMIM_BENCH_DATA", raising=False)
    home = list(datasets(load(name)))
    monkeypatch.setenv("SIMMIM_BENCH_DATA", "/elsewhere")
    moved = list(datasets(Config.fromfile(ROOT / name)))
    assert moved
    assert all(dataset.data_root.startswith("/elsewhere/") for _, dataset in moved)
    assert all(dataset.data_root.startswith("data/") for _, dataset in home)


def test_the_schedule_ends_with_the_training(cfg):
    schedules = cfg.param_scheduler
    schedules = [schedules] if isinstance(schedules, dict) else schedules
    if not schedules:
        assert cfg.optim_wrapper.optimizer.lr == 0
        return
    assert schedules[-1].end == cfg.train_cfg.get("max_epochs", cfg.train_cfg.get("max_iters"))
    for schedule in schedules:
        assert PARAM_SCHEDULERS.get(schedule.type) is not None
        assert all(0 < step < schedules[-1].end for step in schedule.get("milestones", []))


def test_every_part_of_the_data_side_can_be_built(cfg):
    for _, dataset in datasets(cfg):
        with DATASETS.switch_scope_and_registry(None) as registry:
            assert registry.get(dataset.type) is not None
        for transform in dataset.pipeline:
            assert callable(TRANSFORMS.build(transform))
    if "val_evaluator" in cfg:
        METRICS.build(cfg.val_evaluator)


def test_the_model_builds_and_every_parameter_is_optimised(name, cfg, model):
    parameters = list(model.parameters())
    optimizer = wrapper_of(cfg, model).optimizer
    optimised = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(optimised) == len(set(optimised))
    assert {id(p) for p in parameters if p.requires_grad} <= set(optimised)
    if cfg.model.type not in PARTLY_FIXED:
        fixed = {n for n, p in model.named_parameters() if not p.requires_grad}
        assert fixed <= MAY_BE_FIXED
    if name in FROZEN:
        assert [n for n, p in model.named_parameters() if p.requires_grad] == FROZEN[name]
    if name in PUBLISHED:
        assert round(sum(p.numel() for p in parameters) / 1e6, 2) == PUBLISHED[name]


def test_with_mmpretrains_windows_swin_l_has_mmpretrains_size(monkeypatch):
    backbone = {**load("simmim/swin-l_8xb128_800e.py").model.backbone, "stage_cfgs": {}}
    count = sum(p.numel() for p in without_memory(backbone, monkeypatch).parameters())
    decoder, mask_token = (1536 + 1) * 32**2 * 3, 192
    assert round((count + decoder + mask_token) / 1e6, 2) == 199.92


@pytest.mark.parametrize("name", sorted(n for n in FULL_SIZE if not n.startswith("baselines/")))
def test_the_name_says_what_the_values_are(name, cfg):
    stem = Path(name).stem
    backbone = re.search(r"(swin|swinv2|plain-vit|vit|convnext)-[blh]|resnet-50", stem).group()
    assert cfg.model.backbone.get("arch") == ARCHITECTURES[backbone]
    assert cfg.model.backbone.get("depth", 50) == 50
    stated = cfg.pretraining.backbone if "pretraining" in cfg else cfg.backbone_name
    assert stated == backbone
    devices, batch = 8, cfg.train_dataloader.batch_size
    if found := re.search(r"(\d+)xb(\d+)", stem):
        devices = int(found.group(1))
        assert batch == int(found.group(2))
        images = devices * batch * cfg.optim_wrapper.get("accumulative_counts", 1)
        assert images == (16384 if "linear" in stem else 2048)
        assert cfg.auto_scale_lr.base_batch_size == images
        pretraining = "pretraining" in cfg
        base = RATES[cfg.train_cfg.max_epochs] if pretraining else FINE_TUNING_RATE
        rate = LINEAR_RATE if "linear" in stem else base * images / 512
        assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate, rel=1e-12)
    assert cfg.auto_scale_lr.base_batch_size % (devices * batch) == 0
    if found := re.search(r"_(1x|3x)$", stem):
        assert cfg.train_cfg.max_epochs == EPOCHS[found.group(1)]
        assert cfg.param_scheduler[-1].milestones == ([8, 11] if stem.endswith("1x") else [27, 33])
    if found := re.search(r"(\d+)e$", stem):
        assert cfg.train_cfg.max_epochs == int(found.group(1))
    if found := re.search(r"_(\d+)k(?:_(\d+))?$", stem):
        assert cfg.train_cfg.max_iters == 1000 * int(found.group(1))
        size = cfg.protocol.image_size
        crop = [int(found.group(2))] * 2 if found.group(2) else CROPS[stem.split("_")[0]]
        assert list(cfg.model.data_preprocessor.size) == crop
        assert crop == ([size] * 2 if name.startswith("ade20k/") else size)
    if found := re.search(r"-w(\d+)-(\d+)", stem):
        window, size = map(int, found.groups())
        assert (windows(cfg.model.backbone)[0], cfg.model.backbone.img_size) == (window, size)
    kinds = {
        "mask-rcnn": "MaskRCNN",
        "faster-rcnn": "FasterRCNN",
        "cascade": "CascadeRCNN",
        "upernet": "EncoderDecoder",
    }
    assert (cfg.model.type == "simmim_bench.MultiScaleSegmentor") == stem.endswith("_ms")
    built = "EncoderDecoder" if stem.endswith("_ms") else cfg.model.type
    for kind, model_type in kinds.items():
        assert bool(re.search(rf"(^|_){kind}", stem)) == (built == model_type)


@pytest.mark.parametrize("name", sorted(n for n in FULL_SIZE if "lsj-36e" in n))
def test_detectors_with_large_scale_jitter_are_in_the_range_of_convnext_v2(name):
    """https://arxiv.org/abs/2301.00808, section A.3."""
    cfg = load(name)
    devices = {"swinv2-h": 32}.get(cfg.backbone_name, 8)
    assert devices * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 32
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 1e-4, 0.05)
    assert cfg.optim_wrapper.paramwise_cfg.layer_decay in (0.9, 0.95)
    assert cfg.model.backbone.drop_path_rate in (0.2, 0.3, 0.4, 0.5)
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert steps["RandomResize"].ratio_range == (0.1, 2.0)
    assert steps["RandomCrop"].crop_size == steps["RandomResize"].scale == (1024, 1024)
    assert cfg.model.test_cfg.rcnn.nms == {"type": "soft_nms", "iou_threshold": 0.5}


@pytest.mark.parametrize("name", sorted(n for n in FULL_SIZE if n.endswith("_ms.py")))
def test_segmentors_at_several_scales_are_in_the_range_of_convnext_v2(name):
    """https://arxiv.org/abs/2301.00808, section A.4."""
    cfg = load(name)
    devices = {"swinv2-h": 16}.get(cfg.backbone_name, 8)
    assert devices * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.weight_decay) == ("AdamW", 0.05)
    assert optimizer.lr in (1e-4, 2e-4, 3e-4)
    assert cfg.optim_wrapper.paramwise_cfg.layer_decay in (0.8, 0.9)
    assert cfg.model.backbone.drop_path_rate in (0.1, 0.2, 0.3, 0.4)
    scales, flips, *_ = cfg.val_dataloader.dataset.pipeline[1].transforms
    ratios = [tuple(side / whole for side, whole in zip(step.scale, (2048, 512), strict=True))
              for step in scales]  # fmt: skip
    assert ratios == [(ratio, ratio) for ratio in (0.75, 0.875, 1.0, 1.125, 1.25)]
    assert [step.prob for step in flips] == [0.0, 1.0]


@pytest.mark.parametrize("name", [n for n in ALL if "faster-rcnn" in n])
def test_boxes_are_trained_as_those_of_mask_rcnn(name):
    """They differ in masks and in what mmdetection's faster-rcnn_r50_fpn.py changes."""
    mine, other = (
        read_config(ROOT / each).to_dict() for each in (name, name.replace("faster", "mask"))
    )
    assert "mask" not in str(mine["train_dataloader"]) + str(mine["val_dataloader"])
    for key in ("optim_wrapper", "param_scheduler", "train_cfg", "auto_scale_lr", "env_cfg"):
        assert mine[key] == other[key]
    other["model"]["roi_head"] |= {"mask_head": None, "mask_roi_extractor": None}
    other["model"]["train_cfg"]["rcnn"]["assigner"]["match_low_quality"] = False
    other["model"]["data_preprocessor"]["pad_mask"] = False
    assert mine["model"] == {**other["model"], "type": "FasterRCNN"}
    for loader in ("train_dataloader", "val_dataloader"):
        for step in other[loader]["dataset"]["pipeline"]:
            step.pop("with_mask", None)
        assert mine[loader] == other[loader]
    kept = {k: v for k, v in other["protocol"]["metrics"].items() if not k.startswith("mask")}
    assert mine["protocol"]["metrics"] == kept
    assert mine["val_evaluator"] == {"type": "simmim_bench.CocoMetric", "metric": "bbox"}


def windows(backbone):
    """Window of each stage of a Swin or Swin V2."""
    given = backbone.window_size
    if isinstance(given, int):
        own = [stage.window_size for stage in backbone.get("stage_cfgs", [])]
        return own or [given] * 4
    return list(given)


@pytest.mark.parametrize("name", sorted(n for n in FULL_SIZE if "_ft-" in n))
def test_the_image_size_of_a_classifier_is_the_protocols_everywhere(name, cfg):
    size, backbone = cfg.protocol.image_size, cfg.model.backbone
    assert backbone.get("img_size", size) == size
    train = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    test = {step.type: step for step in cfg.test_dataloader.dataset.pipeline}
    assert train["RandomResizedCrop"].scale == size
    assert test["CenterCrop"].crop_size == size
    assert test["ResizeEdge"].scale == int(256 / 224 * size)  # as the original rounds it
    decay = cfg.optim_wrapper.paramwise_cfg.layer_decay
    assert (decay, backbone.get("drop_path_rate", 0.0)) == FINE_TUNING[name]
    if "swin" in name:
        assert windows(backbone)[-1] * 32 == size  # never more than the last stage has tokens


@pytest.mark.parametrize("name", sorted(n for n in FULL_SIZE if n.startswith("simmim/")))
def test_masks_fit_the_image_and_the_backbone(name, cfg):
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    mask = steps["simmim_bench.GenerateMask"]
    size = cfg.pretraining.image_size
    assert steps["RandomResizedCrop"].scale == size
    assert size % mask.mask_patch_size == 0
    assert mask.token_size == cfg.model.backbone.get("patch_size", 4)  # 4: stem of the CNNs
