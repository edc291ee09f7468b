"""Trackers beside the files in the work dir."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS

from simmim_bench.errors import BenchError
from simmim_bench.training.adapt import TRACKERS, add_trackers, has_tracker


@pytest.fixture
def cfg():
    return Config({"visualizer": {"vis_backends": [{"type": "mmengine.LocalVisBackend"}]}})


def test_a_tracker_comes_beside_the_files(cfg):
    assert not has_tracker(cfg)
    add_trackers(cfg, SimpleNamespace(log_to=["tensorboard"]))
    assert [one["type"] for one in cfg.visualizer.vis_backends] == [
        "mmengine.LocalVisBackend",
        "mmengine.TensorboardVisBackend",
    ]
    assert has_tracker(cfg)


def test_mmengine_knows_every_one():
    assert all(VISBACKENDS.get(name) is not None for name in TRACKERS.values())


def test_one_that_is_not_installed(cfg, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BenchError, match="needs the package wandb; install it with `pip install"):
        add_trackers(cfg, SimpleNamespace(log_to=["wandb"]))
