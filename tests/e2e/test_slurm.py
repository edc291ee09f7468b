"""Training and testing through a Slurm that runs here, with two tasks on CPUs."""

import json
import os

import pytest
import yaml

from simmim_bench.records.manifest import Manifest
from tests.e2e.conftest import CONFIGS, PRETRAIN, ROOT
from tests.slurm_cluster import skip_without_jobs
from tests.test_own_method import write_examples

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


def test_a_suite_of_an_own_mask_runs_as_jobs(tools, slurm, tmp_path, monkeypatch):
    """The module is in the user's folder, and the pretraining has two tasks."""
    skip_without_jobs()
    lab = tmp_path / "my lab"
    write_examples(lab)
    known = {**os.environ, "SBATCH_PARTITION": slurm, "PYTHONPATH": str(ROOT)}
    for name, value in known.items():
        monkeypatch.setitem(tools.env, name, value)
    short = {"train_cfg.max_epochs": 1, "auto_scale_lr.base_batch_size": 8}
    task = {"config": str(CONFIGS["classification"])}
    suite = {
        "name": "jobs",
        "kind": "smoke",
        "backbones": ["swin-demo"],
        "imports": ["my_masks"],
        "pretrain": {
            "centre": {
                "config": str(PRETRAIN),
                "overrides": {
                    **short,
                    "train_dataloader.batch_size": 4,
                    "train_dataloader.dataset.pipeline.2.strategy": "centre",
                },
                "resources": {"gpus": 2},
            }
        },
        "tasks": {
            "classification": {
                **task,
                "overrides": {
                    **short, "train_dataloader.batch_size": 8, "train_cfg.val_interval": 1
                },
            }
        },
    }  # fmt: skip
    path, folder = lab / "jobs.yaml", lab / "work"
    path.write_text(yaml.safe_dump(suite), "utf-8")
    command = 'cd "$0" && exec "$PYTHON" -P -m simmim_bench suite "$@"'
    words = (path, "--launcher", "slurm", "--work-dir", folder)
    printed = tools.succeed("bash", "-c", command, lab, *words)
    assert "stages as Slurm jobs" in printed
    cell = "centre__swin-demo/seed0"
    assert Manifest.read(folder / f"pretrain/{cell}/manifest.json").cost.device_count == 2
    tuned = Manifest.read(folder / f"finetune/classification/{cell}/manifest.json")
    assert tuned.cost.device_count == 1
    [record] = (folder / "results" / "records").rglob("*.json")
    assert json.loads(record.read_text())["metrics"] == tuned.metrics
