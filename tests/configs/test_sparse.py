"""Configs of sparse SimMIM: they differ from SimMIM's where they say so, and train a step."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.structures import DataSample

from simmim_bench.records.manifest import Pretraining
from simmim_bench.registry import MODELS
from tests.configs.reader import read_config, wrapper_of

ROOT = Path(__file__).parents[2] / "configs"
FILES = sorted(path.name for path in (ROOT / "variants").glob("sparse_*.py"))
DENSE = {
    "sparse_swin-b_8xb128.py": "simmim/swin-b_8xb128.py",
    "sparse_plain-vit-b_8xb128.py": "simmim/plain-vit-b_8xb128.py",
    "sparse_swin-demo.py": "demo/simmim_swin-demo.py",
    "sparse_plain-vit-demo.py": "demo/simmim_swin-demo.py",
    "sparse_resnet-demo.py": "variants/simmim_resnet-demo.py",
    "sparse_cnn-demo.py": "variants/simmim_cnn-demo.py",
}
MAY_DIFFER = {"pretraining", "model", "train_dataloader", "plain_vit_demo"}


def load(name):
    return read_config(ROOT / name)


@pytest.fixture(params=DENSE)
def name(request):
    return request.param


@pytest.fixture
def cfg(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        yield load(f"variants/{name}")


def mask_step(cfg):
    return next(s for s in cfg.train_dataloader.dataset.pipeline if s.type.endswith("GenerateMask"))


def test_there_are_these():
    assert sorted(DENSE) == FILES


def test_schedule_and_data_are_those_of_simmim(name, cfg):
    dense = load(DENSE[name]).to_dict()
    own = cfg.to_dict()
    assert {key for key in own if own[key] != dense.get(key)} <= MAY_DIFFER
    steps = [loader["train_dataloader"]["dataset"].pop("pipeline") for loader in (own, dense)]
    assert own["train_dataloader"] == dense["train_dataloader"]
    others = [[s for s in found if not s["type"].endswith("GenerateMask")] for found in steps]
    assert others[0] == others[1]
    assert own["model"]["loss"] == {"type": "simmim_bench.MaskedL1Loss"}
    assert mask_step(cfg).mask_ratio == 0.6
    if "-b_" in name:
        assert own["model"]["backbone"] == dense["model"]["backbone"]
    stated = Pretraining(**cfg.pretraining)
    assert (stated.method, stated.epochs) == ("simmim-sparse", cfg.train_cfg.max_epochs)


def test_the_mask_hides_whole_tokens_of_the_last_stage(name, cfg, monkeypatch):
    monkeypatch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    step = mask_step(cfg)
    assert step.token_size == model.adapter.token_size
    assert step.mask_patch_size % model.adapter.feature_spec.strides[-1] == 0
    assert cfg.pretraining.image_size % step.mask_patch_size == 0
    optimizer = wrapper_of(cfg, model).optimizer
    optimised = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert optimised == {id(p) for p in model.parameters()}


@pytest.mark.parametrize("demo", [name for name in DENSE if "-demo" in name])
def test_the_demo_trains(demo):
    torch.manual_seed(0)
    cfg = load(f"variants/{demo}")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model)
        transform = TRANSFORMS.build(mask_step(cfg))
        model.init_weights()
    wrapper = wrapper_of(cfg, model)
    images = torch.randint(256, (4, 3, 64, 64), dtype=torch.uint8)
    empty = np.zeros((64, 64, 3), np.uint8)
    masks = [transform({"sample_idx": index, "img": empty})["mask"] for index in range(4)]
    samples = [DataSample().set_mask(mask) for mask in masks]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for _ in range(2):  # a ResNet's blocks start as their shortcut
        logged = model.train_step({"inputs": images, "data_samples": samples}, wrapper)
    assert logged["loss"].isfinite()
    moved = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    assert {key for key, _ in model.named_parameters()} <= moved
