import sys
from argparse import Namespace
from types import ModuleType

import torch

from simmim_bench.weights.files import load_checkpoint


def test_settings_that_the_original_stores_need_no_yacs(tmp_path, monkeypatch):
    """``CfgNode`` is a dict with attributes; the file is read where yacs is absent."""

    class CfgNode(dict):
        def __setitem__(self, key, value):
            raise AssertionError("its code ran")

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    module = ModuleType("yacs.config")
    module.CfgNode = CfgNode
    monkeypatch.setitem(sys.modules, "yacs", ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    config = CfgNode.__new__(CfgNode)
    dict.__setitem__(config, "TRAIN", CfgNode.__new__(CfgNode))
    config.__dict__["__immutable__"] = True
    path = tmp_path / "simmim.pth"
    torch.save({"model": {"a": torch.ones(1)}, "config": config, "args": Namespace(lr=1.0)}, path)
    monkeypatch.delitem(sys.modules, "yacs.config")
    monkeypatch.delitem(sys.modules, "yacs")
    content = load_checkpoint(path)
    assert torch.equal(content["model"]["a"], torch.ones(1))
    assert content["args"].lr == 1.0
    assert "TRAIN" in content["config"]
