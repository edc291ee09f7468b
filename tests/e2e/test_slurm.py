"""Training and testing through a Slurm that runs here, with two tasks on CPUs."""

import json
import os

import pytest

from simmim_bench.results.manifest import Manifest
from tests.e2e.conftest import CONFIGS

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def test_two_tasks_train_and_test_to_the_same_figures(tools, slurm, tmp_path, monkeypatch):
    asked = {"GPUS": "2", "GPUS_PER_NODE": "0", "CPUS_PER_TASK": "1"}
    for name, value in {**os.environ, **asked}.items():
        monkeypatch.setitem(tools.env, name, value)
    config, run = CONFIGS["classification"], tmp_path / "run"
    tools.succeed(
        "bash", "tools/slurm_train.sh", slurm, "train", config, "--from-scratch",
        "--work-dir", run, "--kind", "smoke", "--cfg-options", "train_dataloader.batch_size=4",
        "auto_scale_lr.base_batch_size=8", "train_cfg.max_epochs=1", "train_cfg.val_interval=1",
    )  # fmt: skip
    manifest = Manifest.read(run / "manifest.json")
    assert manifest.cost.device_count == 2
    out = tmp_path / "test"
    tools.succeed(
        "bash", "tools/slurm_test.sh", slurm, "test", config, run / "epoch_1.pth",
        "--work-dir", out,
    )  # fmt: skip
    figures = json.loads((out / "test.json").read_text())
    assert figures["accuracy/top1"] == manifest.metrics["top1"]
