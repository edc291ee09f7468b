"""A backbone and its adapter from a module outside the package: one new file is enough."""

import sys

import pytest
import torch
from mmengine.config import Config
from torch import nn

from simmim_bench.backbones import adapter_for, adapters, base, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.pretrained import load_pretrained

MODULE = """
from mmengine.model import BaseModule
from torch import nn

from simmim_bench.backbones import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS


@MODELS.register_module()
class ToyBackbone(BaseModule):
    def __init__(self, *, channels=8):
        super().__init__()
        self.channels = channels
        self.stem = nn.Conv2d(3, channels, 4, stride=4)
        self.block = nn.Conv2d(channels, channels, 2, stride=2)

    def forward(self, images):
        return (self.block(self.stem(images).relu()),)


@register_adapter
class ToyAdapter(PixelAdapter):
    name = "toy"
    backbone_type = ToyBackbone
    feature_spec = property(lambda self: FeatureSpec((8,), (self.backbone.channels,)))
    token_size = 4
    num_layers = 3

    def layer_id(self, param_name):
        return 0 if param_name.startswith("stem.") else 1

    def init_weights(self, *, pretraining):
        for module in (self.backbone.stem, self.backbone.block):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)

    def architecture(self):
        return {"channels": self.backbone.channels}
"""
CONFIG = """
custom_imports = dict(imports=["toy_backbone"])
backbone = dict(type="simmim_bench.ToyBackbone", channels=6)
"""


@pytest.fixture(autouse=True)
def forget_new_adapters(monkeypatch):
    adapters()  # those of the package
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Config of the toy backbone, whose module is imported because a config names it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "toy_backbone.py").write_text(MODULE)
    (tmp_path / "config.py").write_text(CONFIG)
    yield Config.fromfile(tmp_path / "config.py").to_dict()["backbone"]
    MODELS.module_dict.pop("ToyBackbone")
    sys.modules.pop("toy_backbone")


def test_it_pretrains_a_step_is_exported_and_loads_strictly(toy, save_pretraining, tmp_path):
    torch.manual_seed(0)
    model = MODELS.build(
        {
            "type": "simmim_bench.SimMIM",
            "backbone": toy,
            "decoder": {"type": "simmim_bench.LinearDecoder"},
            "loss": {"type": "simmim_bench.MaskedL1Loss"},
        }
    )
    model.init_weights()
    images, mask = torch.randn(2, 3, 32, 32), torch.rand(2, 8, 8) < 0.5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    prediction = model.decoder(model.encode(images, mask))
    loss = model.criterion(prediction, images, model.pixel_mask(mask))
    loss.backward()
    optimizer.step()
    after = model.criterion(
        model.decoder(model.encode(images, mask)), images, model.pixel_mask(mask)
    )
    assert after < loss

    checkpoint = save_pretraining(toy, state=model.state_dict())
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    fresh = MODELS.build(dict(toy))
    report = load_pretrained(fresh, weights)
    assert (report.missing, report.unexpected, len(report.matched)) == ((), (), 4)
    assert torch.equal(fresh(images)[0], model.backbone(images)[0])
    assert adapter_for(fresh).name == "toy"


class Parent(nn.Module):
    pass


class Child(Parent):
    pass


def adapter(name, kind):
    return type("Adapter", (PixelAdapter,), {"name": name, "backbone_type": kind})


@pytest.mark.parametrize("order", [(Parent, Child), (Child, Parent)])
def test_the_most_specific_class_decides_in_any_order(order, monkeypatch):
    monkeypatch.setattr(PixelAdapter, "__abstractmethods__", frozenset())
    for kind in order:
        made = adapter(kind.__name__, kind)
        made.__abstractmethods__ = frozenset()
        made.__qualname__ = kind.__name__
        register_adapter(made)
    assert adapter_for(Child()).name == "Child"
    assert adapter_for(Parent()).name == "Parent"
    assert adapter_for(type("Grandchild", (Child,), {})()).name == "Child"


def test_names_and_classes_are_unique():
    register_adapter(adapter("parent", Parent))
    for name, kind in (("parent", Child), ("other", Parent)):
        second = adapter(name, kind)
        second.__qualname__ = "Second"
        with pytest.raises(BenchError, match="conflicts with Adapter"):
            register_adapter(second)
