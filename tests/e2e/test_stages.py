"""From images to a leaderboard through the command line, on a handful of images."""

import json
import os

import pytest
import torch
from PIL import Image

from simmim_bench.io import sha256_file
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.record import Record
from simmim_bench.records.schema import read_model
from tests.e2e.conftest import CONFIGS, PRETRAIN, TINY

pytestmark = pytest.mark.slow
TABLES = ("per_class", "confusion", "worst")
ONE_EPOCH = ["train_cfg.max_epochs=1", "train_cfg.val_interval=1"]


def test_pretraining_writes_what_people_look_at(pretrained):
    manifest = Manifest.read(pretrained / "manifest.json")
    assert manifest.stage == "pretrain"
    assert manifest.pretraining.epochs == 2
    assert manifest.cost.parameters > 1_000_000
    assert manifest.cost.flops > manifest.cost.parameters
    with Image.open(pretrained / "reconstructions" / "epoch_2.png") as picture:
        assert picture.size == (4 * (64 + 4), 8 * (64 + 4))
    with Image.open(pretrained / "loss.png") as curve:
        assert curve.width > 300


def test_a_pretraining_from_weights_is_told_in_record_and_table(tools, backbone, tmp_path):
    """Of another library: converted, pretrained, exported, fine-tuned; beside random weights."""
    tools.succeed("tools/convert_checkpoint.py", backbone, tmp_path / "timm.pth", "--to", "timm")
    name, begun = "supervised ImageNet-1k", tmp_path / "pretrain" / "seed0"
    words = ["--init", tmp_path / "timm.pth", "--init-name", name]
    manifest = tools.train(PRETRAIN, begun, *words, options=ONE_EPOCH[:1])
    state = torch.load(backbone, weights_only=True)
    assert manifest.load_report["matched"] == len([k for k in state if "_index" not in k])
    assert manifest.pretraining.initial == name
    assert manifest.pretraining.initial_sha256 == sha256_file(tmp_path / "timm.pth")
    exports = {"random": backbone, "begun": tmp_path / "export" / "backbone.pth"}
    tools.succeed("tools/export_backbone.py", begun, "--out", exports["begun"].parent)
    for start, weights in exports.items():
        folder = tmp_path / "finetune" / start / "seed0"
        config = CONFIGS["classification"]
        run = tools.train(config, folder, "--pretrained", weights, options=ONE_EPOCH)
        assert run.card_sealed is True
        assert run.pretraining.initial == (name if start == "begun" else None)
    tools.succeed("tools/leaderboard.py", "build", "--work-dir", tmp_path)
    records = [
        read_model(Record, path, remedy="")
        for path in (tmp_path / "results" / "records").rglob("*.json")
    ]
    assert sorted(record.label for record in records) == ["simmim", f"simmim, from {name}"]
    table = (tmp_path / "results" / "leaderboard" / "README.md").read_text("utf-8")
    assert f"| simmim, from {name} " in table
    code, output = tools.run(
        "tools/train.py", PRETRAIN, "--work-dir", begun, "--resume", "--kind", "smoke",
        "--cfg-options", *TINY, *ONE_EPOCH[:1],
    )  # fmt: skip
    assert code == 2
    assert f"was written with initial {name}, this run has initial None" in output


def test_three_tasks_become_records_and_a_table(tools, backbone, tmp_path):
    for task, config in CONFIGS.items():
        for method, origin in {
            "simmim": ["--pretrained", backbone],
            "scratch": ["--from-scratch"],
        }.items():
            folder = tmp_path / "finetune" / task / f"{method}__swin-demo" / "seed0"
            manifest = tools.train(config, folder, *origin, options=ONE_EPOCH)
            assert manifest.method == method
            assert manifest.protocol.task == task
            if method == "simmim":
                assert manifest.load_report["matched"] > 50
                assert manifest.inputs["backbone"].sha256 == manifest.load_report["sha256"]
            else:
                assert manifest.load_report is None
        drawn = tmp_path / "drawn" / task
        tools.succeed(
            "tools/test.py", config, folder / "epoch_1.pth", "--draw", drawn, "--work-dir", drawn
        )
        pictures = [path for path in drawn.iterdir() if path.suffix in {".jpg", ".png"}]
        assert len(pictures) == (11 if task == "classification" else 5)
        record = read_model(Record, drawn / "record.json", remedy="")
        trained = Manifest.read(folder / "manifest.json")
        assert record.metrics == pytest.approx(trained.metrics)
        assert (record.method, record.seed) == ("scratch", 0)
    tools.succeed("tools/leaderboard.py", "build", "--work-dir", tmp_path)
    records = list((tmp_path / "results" / "records").rglob("*.json"))
    assert len(records) == 6
    for task in CONFIGS:
        folder = tmp_path / "finetune" / task / "simmim__swin-demo" / "seed0"
        count = 8 if task == "classification" else 5
        assert len(list((folder / "predictions").glob("*.png"))) == count
        page = (folder / "report.html").read_text("utf-8")
        assert page.count("<img ") == count + 2  # confusion matrix, worst images
        assert "train_cfg.max_epochs" in page  # what the run changed
    curves = [read_model(Record, path, remedy="").curves for path in records]
    assert all(len(curve["loss"].points) >= 1 for curve in curves)
    table = (tmp_path / "results" / "leaderboard" / "README.md").read_text()
    assert "scratch" in table
    assert "simmim" in table
    assert "smoke" in table


def test_the_pretrained_weights_are_what_fine_tuning_starts_from(tools, backbone, tmp_path):
    """With a learning rate of 0 the backbone after an epoch is the exported one."""
    import torch

    frozen = ["optim_wrapper.optimizer.lr=0", "optim_wrapper.optimizer.weight_decay=0", *ONE_EPOCH]
    tools.train(CONFIGS["classification"], tmp_path, "--pretrained", backbone, options=frozen)
    trained = torch.load(tmp_path / "epoch_1.pth", weights_only=False)["state_dict"]
    exported = torch.load(backbone, weights_only=True)
    for key, value in exported.items():
        assert torch.equal(trained[f"backbone.{key}"], value), key


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
def test_two_processes_train_and_test_to_the_same_figures(tools, tmp_path):
    config = CONFIGS["classification"]
    tools.succeed(
        "bash", "tools/dist_train.sh", config, "2", "--from-scratch",
        "--work-dir", tmp_path / "run",
        "--kind", "smoke", "--cfg-options", "train_dataloader.batch_size=4",
        "auto_scale_lr.base_batch_size=8", *ONE_EPOCH,
    )  # fmt: skip
    manifest = Manifest.read(tmp_path / "run" / "manifest.json")
    assert manifest.cost.device_count == 2
    figures = []
    for processes in ("1", "2"):
        out = tmp_path / processes
        tools.succeed(
            "bash", "tools/dist_test.sh", config, tmp_path / "run" / "epoch_1.pth", processes,
            "--work-dir", out,
        )  # fmt: skip
        figures.append(json.loads((out / "test.json").read_text()))
    assert figures[0] == figures[1]  # 11 images: odd
    assert figures[0]["accuracy/top1"] == manifest.metrics["top1"]
    records = [read_model(Record, tmp_path / n / "record.json", remedy="") for n in "12"]
    assert records[0].metrics == records[1].metrics == manifest.metrics


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_five_images_on_two_processes_give_the_figures_of_one(tools, tmp_path, task):
    trained = tools.train(
        CONFIGS[task], tmp_path / "run", "--from-scratch", options=["train_cfg.max_epochs=1"]
    )
    found = []
    for processes in ("1", "2"):
        out = tmp_path / processes
        tools.succeed(
            "bash", "tools/dist_test.sh", CONFIGS[task], tmp_path / "run" / "epoch_1.pth",
            processes, "--work-dir", out,
        )  # fmt: skip
        record = read_model(Record, out / "record.json", remedy="")
        tables = [(out / "classes" / f"{name}.csv").read_text() for name in TABLES]
        found.append((json.loads((out / "test.json").read_text()), record.metrics, tables))
    assert found[0] == found[1]
    assert found[0][1] == trained.metrics
    assert len(found[0][0]) == {"detection": 24, "segmentation": 3}[task]


def test_try_runs_a_full_size_config_and_records_nothing(tools, tmp_path):
    work_dir = tmp_path / "try"
    output = tools.succeed(
        "tools/train.py", "configs/imagenet/swin-b_8xb128_ft-100e.py", "--try", "1",
        "--work-dir", work_dir,
    )  # fmt: skip
    assert "--try passed: 1 iteration and validation" in output
    assert not (work_dir / "manifest.json").exists()
    assert not list(work_dir.glob("*.pth"))  # a checkpoint could be exported
