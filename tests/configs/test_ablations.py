"""Ablation configs: each changes what its name says, and nothing else, and can be built."""

import functools
import json
import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS, DefaultScope

from simmim_bench.config import load_config
from simmim_bench.registry import MODELS
from simmim_bench.suite.load import load_suite
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "ablations"
FILES = sorted(path.name for path in FOLDER.glob("*.py"))
DEFAULT = "configs/simmim/swin-b_8xb128.py"
STRATEGY = "train_dataloader.dataset.pipeline.3.strategy"
MAY_CHANGE = {
    "masking": {STRATEGY},
    "head": {"model.decoder"},
    "resolution": {"model.target"},
    "target": {"model.target", "model.loss", "model.decoder"},
    "loss": {"model.loss"},
    "region": {"model.loss.region"},
}
SIZE = 192
# The first three change no part of the model; a teacher's weights are not shipped, and
# tests/targets has small ones.
OTHER_MODELS = {
    "masking-blockwise_swin-b.py",
    "masking-grid_swin-b.py",
    "masking-square_swin-b.py",
    "target-teacher_swin-b.py",
}


@functools.cache
def load(path):
    return read_config(ROOT / path).to_dict()


def flat(node, prefix=""):
    """Dotted key to value."""
    pairs = enumerate(node) if isinstance(node, list) else node.items()
    found = {}
    for key, value in pairs:
        if isinstance(value, (dict, list)) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def changed(name):
    default, own = flat(load(DEFAULT)), flat(load(f"configs/ablations/{name}"))
    keys = default.keys() | own.keys()
    return {key for key in keys if default.get(key) != own.get(key)} - {"pretraining.method"}


@pytest.mark.parametrize("name", FILES)
def test_it_changes_what_its_name_says(name):
    axis = name.split("-")[0]
    found = changed(name)
    assert found
    assert all(any(key.startswith(allowed) for allowed in MAY_CHANGE[axis]) for key in found), found
    assert load(f"configs/ablations/{name}")["pretraining"]["method"] == (
        "simmim-" + name.removesuffix("_swin-b.py")
    )


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("resolution-")])
def test_the_resolution_is_that_of_the_name(name):
    stride = load(f"configs/ablations/{name}")["model"]["target"]["stride"]
    assert f"resolution-{SIZE // stride}_swin-b.py" == name


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("masking-")])
def test_the_mask_is_that_of_the_name(name):
    step = load(f"configs/ablations/{name}")["train_dataloader"]["dataset"]["pipeline"][3]
    assert (
        TRANSFORMS.build(step)
        .strategy.__class__.__name__.lower()
        .startswith(name.removeprefix("masking-").split("_")[0])
    )


@pytest.mark.parametrize("name", [n for n in FILES if n not in OTHER_MODELS])
def test_target_decoder_and_loss_fit_each_other(name, tmp_path, monkeypatch):
    cfg = read_config(FOLDER / name)
    if "clusters" in name:
        cfg.model.target.palette = str(palette(tmp_path))
    monkeypatch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))
    with DefaultScope.overwrite_default_scope("mmpretrain"), torch.device("meta"):
        model = MODELS.build(cfg.model)
        features = torch.empty(2, 1024, 6, 6)
        images = torch.empty(2, 3, SIZE, SIZE)
        prediction, target = model.decoder(features), model.target(images)
        mask = torch.empty(2, *target.shape[2:], dtype=torch.bool)
        loss = model.criterion(prediction, target, mask)
    assert prediction.shape[2:] == target.shape[2:]
    assert loss.shape == ()
    assert sum(p.numel() for p in model.decoder.parameters()) < 1.5e8


def palette(folder):
    """512 colours in the layout of `data palette`."""
    path = folder / "palette.json"
    path.write_text(json.dumps({"centres": (255 * torch.rand(512, 3)).tolist()}), "utf-8")
    return path


def methods(suite):
    """Method to its pretraining in one of our suites."""
    return load_suite(ROOT / f"configs/suites/{suite}.yaml").methods()


def test_suites_use_every_ablation():
    steps = [*methods("ablation-components").values(), *methods("ablation-masking").values()]
    used = {step.path("swin-b").removeprefix("configs/ablations/") for step in steps}
    assert used == {DEFAULT, *FILES}


def test_the_suite_of_components_says_what_its_configs_say():
    for method, step in methods("ablation-components").items():
        assert load(step.path("swin-b"))["pretraining"]["method"] == method


def test_the_suite_of_maskings_masks_what_its_methods_say():
    """Of 192 px; a side of a square is that of the nearest area."""
    found = set()
    for method, step in methods("ablation-masking").items():
        cfg = load_config(str(ROOT / step.path("swin-b")), overrides=step.options())
        assert cfg.pretraining.method == method
        strategy, patch, ratio = re.fullmatch(r"simmim-(\w+)-p(\d+)-r(0\.\d+)", method).groups()
        transform = cfg.train_dataloader.dataset.pipeline[3]
        assert transform.get("strategy", "random") == strategy
        mask = TRANSFORMS.build(transform).strategy((SIZE, SIZE), np.random.default_rng(0))
        patches = (SIZE // int(patch)) ** 2
        wanted = math.ceil(patches * float(ratio))
        if strategy == "square":
            wanted = round(math.sqrt(patches * float(ratio))) ** 2
        assert mask.sum() == wanted * (int(patch) // 4) ** 2
        found.add((strategy, int(patch), float(ratio)))
    sizes, ratios = (4, 8, 16, 32, 64), [tenth / 10 for tenth in range(1, 10)]
    assert found >= {("random", *pair) for pair in product(sizes, ratios)}
    assert found >= {("blockwise", *pair) for pair in product((16, 32), (0.4, 0.6, 0.8))}
    assert found >= {("square", 32, ratio) for ratio in (0.11, 0.25, 0.44)}


def test_the_papers_resolutions_are_all_there():
    names = {name.removesuffix("_swin-b.py") for name in FILES}
    assert load(DEFAULT)["model"].get("target") is None  # all 192 pixels
    assert names >= {f"resolution-{size}" for size in (6, 12, 24, 48, 96)}
