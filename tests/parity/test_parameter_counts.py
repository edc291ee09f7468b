"""Sizes of the full models, as their configs build them, against published figures."""

import functools
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope

from simmim_bench.registry import MODELS
from tests.configs.reader import read_config

ROOT = Path(__file__).parents[2] / "configs"
# Millions: mmpretrain, configs/simmim/README.md, and for Swin-L, where the window of its last stage
# is 12, what the original builds, whose window never exceeds a stage.
PUBLISHED = [
    ("simmim/swin-b_8xb128.py", {}, 89.87),
    ("imagenet/swin-b-w6-192_8xb128_ft-100e.py", {}, 87.75),
    ("imagenet/swin-b_8xb128_ft-100e.py", {}, 87.77),
    ("simmim/swin-l_8xb128_800e.py", {"stage_cfgs": {}}, 199.92),
    ("simmim/swin-l_8xb128_800e.py", {}, 199.88),
]


@pytest.mark.parametrize(("name", "changes", "published"), PUBLISHED)
def test_as_many_parameters_as_published(name, changes, published, monkeypatch, equal):
    cfg = read_config(ROOT / name)
    cfg.model.backbone.update(changes)
    monkeypatch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))
    with DefaultScope.overwrite_default_scope("mmpretrain"), torch.device("meta"):
        model = MODELS.build(cfg.model)
    millions = sum(value.numel() for value in model.parameters()) / 1e6
    variant = ", mmpretrain's windows" if changes else ""
    rounding = 0.005 / published
    quantity = f"{millions:.3f} M parameters of configs/{name}{variant}"
    equal(f"published: {published} M", quantity, [abs(millions / published - 1)], bound=rounding)
