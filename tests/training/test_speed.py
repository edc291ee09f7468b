"""Flags that change how a backbone computes and not what."""

from functools import partialmethod
from types import SimpleNamespace

import torch
from torch import nn

from simmim_bench.training.hooks.speed import SpeedHook


class Model(nn.Module):
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
    model, images = Model(), torch.rand(2, 3, 8, 8)
    before, keys = model(images), list(model.state_dict())
    runner = SimpleNamespace(model=model, logger=SimpleNamespace(info=lambda _: None))
    SpeedHook(compiled=True).before_train(runner)
    torch.testing.assert_close(model(images), before)
    assert len(graphs) == 1
    assert not any("head" in str(node.target) for node in graphs[0].graph.nodes)
    assert list(model.state_dict()) == keys
