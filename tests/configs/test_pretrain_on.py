"""Pretrainings that go on from weights of others have the backbones of those."""

from pathlib import Path

import pytest
import timm
from mmengine.registry import DefaultScope

from simmim_bench.registry import MODELS
from tests.configs.reader import read_config

SMALL = Path(__file__).parents[2] / "configs" / "small"


@pytest.mark.parametrize(
    ("config", "model"),
    [("simmim_swin-t", "swin_tiny_patch4_window7_224"), ("simmim_resnet-50", "resnet50")],
)
def test_the_backbone_has_every_parameter_of_timms(config, model):
    backbone = read_config(SMALL / f"{config}.py").model.backbone
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        own, given = MODELS.build(backbone), timm.create_model(model, num_classes=0)
    assert _parameters(own) == _parameters(given)


def _parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())
