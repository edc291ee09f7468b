"""Sharding, recomputation and compilation give the same result, or are refused."""

from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.speed import SpeedHook, refuse_recomputed, refuse_sharded
from tests.configs.reader import read_config

VARIANTS = Path(__file__).parents[2] / "configs" / "variants"


def model(name):
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        return MODELS.build(read_config(VARIANTS / f"{name}-demo.py").model)


@pytest.mark.parametrize(
    "name", ["multiview-simmim-momentum_swin", "byol_swin", "adaptive-attention_plain-vit"]
)
def test_averages_of_weights_are_not_sharded(name):
    with pytest.raises(BenchError, match=r"--fsdp does not .*, which averages whole parameters"):
        refuse_sharded(model(name))


@pytest.mark.parametrize(("refuse", "flag"), [(refuse_sharded, "fsdp"), (refuse_recomputed, "rec")])
def test_weights_that_count_as_constants_stay_whole(refuse, flag):
    with pytest.raises(BenchError, match=f"--{flag}.*OwnFeatures.learn=False"):
        refuse(model("cosine_swin"))
    refuse(model("infonce_swin"))  # learns from them


@pytest.mark.parametrize("name", ["sparse_swin", "sparse_resnet", "sparse_cnn"])
def test_blocks_that_know_a_mask_for_a_while_are_not_computed_again(name):
    with pytest.raises(BenchError, match="--recompute does not support a sparse "):
        refuse_recomputed(model(name))
    refuse_sharded(model(name))


@pytest.mark.parametrize("name", ["sparse_plain-vit", "unet_swin", "adaptive-error_swin"])
def test_other_models_are_accepted(name):
    refuse_recomputed(model(name))
    refuse_sharded(model(name))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.GELU())
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, images):
        return self.head(self.backbone(images))


def test_the_backbone_is_compiled_in_place_and_its_keys_stay(monkeypatch):
    """Traced for real; the code that it generates would take a C++ compiler and minutes."""
    graphs = []

    def keep(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=keep))
    torch.manual_seed(0)
    model, images = Small(), torch.rand(2, 3, 8, 8)
    before, keys = model(images), list(model.state_dict())
    runner = SimpleNamespace(model=model, logger=SimpleNamespace(info=lambda _: None))
    SpeedHook(compiled=True).before_train(runner)
    torch.testing.assert_close(model(images), before)
    assert len(graphs) == 1
    assert not any("head" in str(node.target) for node in graphs[0].graph.nodes)
    assert list(model.state_dict()) == keys
