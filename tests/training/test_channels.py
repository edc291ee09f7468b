"""Necks and heads against the levels of the backbone."""

from types import SimpleNamespace

import pytest
from mmengine.registry import init_default_scope

from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.channels import check_channels

DEMO = "configs/demo/{}_swin-demo{}.py"


def checked(task, end="", **changes):
    cfg = load_config(DEMO.format(task, end), overrides=[f"{k}={v}" for k, v in changes.items()])
    init_default_scope(cfg.default_scope)
    check_channels(cfg.model, SimpleNamespace(backbone=MODELS.build(cfg.model.backbone)))


@pytest.mark.parametrize(
    ("task", "end"), [("classification", ""), ("mask-rcnn", "_fpn"), ("upernet", "")]
)
def test_recipes_fit(task, end):
    checked(task, end)


@pytest.mark.parametrize(
    ("where", "changes", "said"),
    [
        (("classification",), {"model.head.in_channels": 32},
         "'model.head.in_channels' must be 256, got 32: the backbone returns maps of 256 channels"),
        (("mask-rcnn", "_fpn"), {"model.neck.in_channels": "[48,96,192,384]"},
         r"'model.neck.in_channels' must be \[32, 64, 128, 256\], got \[48, 96, 192, 384\]"),
        (("mask-rcnn", "_fpn"), {"model.backbone.out_indices": "[2,3]"},
         r"'model.neck.in_channels' must be \[128, 256\], got .* at strides 16, 32; correct the "
         "key, or the backbone's out_indices"),
        (("upernet",), {"model.auxiliary_head.in_channels": 32},
         "'model.auxiliary_head.in_channels' must be 128, got 32"),
        (("upernet",), {"model.decode_head.in_channels": "[1,2,3,4]"},
         "'model.decode_head.in_channels' must be"),
        (("upernet",), {"model.decode_head.in_index": "[0,1,2,7]"},
         "'model.decode_head.in_index' must be from 0 to 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(where, changes, said):
    with pytest.raises(BenchError, match=said):
        checked(*where, **changes)


def test_a_backbone_without_adapter_is_not_checked():
    config = {"neck": {"in_channels": [1]}}
    check_channels(config, SimpleNamespace(backbone=SimpleNamespace()))
    check_channels(SimpleNamespace(), SimpleNamespace())
