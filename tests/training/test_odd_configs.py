"""Configs whose parts are of another kind are refused before anything is built."""

import pytest

from simmim_bench.config import load_config
from simmim_bench.data.layouts import expected_paths
from simmim_bench.errors import BenchError
from simmim_bench.shipped import HOME as ROOT
from simmim_bench.training.mistakes import check_mistakes, config_mistakes
from simmim_bench.training.process import prepare

PRETRAIN = str(ROOT / "configs/demo/simmim_swin-demo.py")


@pytest.mark.parametrize("key", ["model", "train_dataloader", "train_cfg", "optim_wrapper"])
def test_a_part_that_is_not_a_dict(key):
    cfg = load_config(PRETRAIN)
    cfg[key] = None
    with pytest.raises(BenchError, match=f"{key} must be a dict, got None"):
        check_mistakes(cfg, "own.py", data=False)
    cfg[key] = 3
    assert list(config_mistakes(cfg)) == [f"{key} must be a dict, got 3"]


def test_a_painting_protocol_has_no_training():
    cfg = load_config(str(ROOT / "configs/generation/painting_demo.py"))
    assert list(config_mistakes(cfg)) == []


@pytest.mark.parametrize("prefix", [1, ["a"], True])
def test_a_prefix_that_is_no_folder(prefix):
    with pytest.raises(BenchError, match="data_prefix must be a folder or a dict of folders"):
        expected_paths({"data_prefix": prefix})


@pytest.mark.parametrize("scope", ["x", "os", "mmengine", None, 5])
def test_a_scope_of_no_library(scope):
    with pytest.raises(BenchError, match="default_scope must be one of mmpretrain, mmdet, mmseg"):
        prepare("none", scope)


@pytest.mark.parametrize("whole", ["256", "None"])
def test_overrides_that_contradict_each_other(whole):
    with pytest.raises(BenchError, match=rf"--cfg-options model={whole} model.type=x contradict"):
        load_config(PRETRAIN, overrides=[f"model={whole}", "model.type=x"])
