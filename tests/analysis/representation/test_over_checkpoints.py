"""Error and k-NN over checkpoints against the suite's own figures."""

import argparse
import csv
import math
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from rich.console import Console

from simmim_bench.analysis.representation import over_checkpoints as over
from simmim_bench.analysis.representation.commands import analyze
from simmim_bench.analysis.representation.over_checkpoints import (
    Point,
    checkpoint_section,
    rank_correlation,
)
from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import evaluation_pipeline
from simmim_bench.registry import MODELS
from simmim_bench.weights.export import export_backbone
from tests.e2e.conftest import PRETRAIN, ROOT, Tools

KNN = ROOT / "configs" / "small" / "cifar10-knn_swin-demo.py"


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """A pretraining with two checkpoints: random weights, and others."""
    cfg = Config.fromfile(PRETRAIN)
    run = tmp_path_factory.mktemp("suite") / "pretrain" / "simmim"
    run.mkdir(parents=True)
    for epoch in (2, 10):
        torch.manual_seed(epoch)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        model.init_weights()
        content = {
            "state_dict": model.state_dict(),
            "meta": {"cfg": cfg.pretty_text, "epoch": epoch, "seed": 0},
            "simmim_bench": {"run": {"kind": "full", "method": "simmim", "seed": 0}},
        }
        torch.save(content, run / f"epoch_{epoch}.pth")
    return run.parents[1]


@pytest.fixture
def cifar(data, monkeypatch, tmp_path):
    """The demo's labelled images under the name of the k-NN config's dataset."""
    (tmp_path / "cifar10").symlink_to(data / "demo" / "imagenet")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    return Tools(tmp_path)


def test_checkpoints_stand_in_the_order_of_epochs(suite, tmp_path):
    [(name, paths)] = over.checkpoints_below(suite).items()
    assert name == "pretrain/simmim"
    assert [path.name for path in paths] == ["epoch_2.pth", "epoch_10.pth"]
    with pytest.raises(BenchError, match="keeps all of them"):
        over.checkpoints_below(tmp_path)
    with pytest.raises(BenchError, match="does not exist"):
        over.checkpoints_below(tmp_path / "nothing")


@torch.no_grad()
def test_error_is_the_loss_of_pretraining(suite, folder):
    """With as many images as fit into one batch it is the training's own loss."""
    checkpoint = suite / "pretrain" / "simmim" / "epoch_2.pth"
    images = sorted(folder.rglob("*.png"))
    cfg = Config.fromfile(PRETRAIN)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(checkpoint)["state_dict"])
    pipeline = evaluation_pipeline(cfg, seed=3)
    samples = [pipeline({"img_path": str(p), "sample_idx": n}) for n, p in enumerate(images)]
    data = model.eval().data_preprocessor(default_collate(samples), False)
    loss = model(data["inputs"], data["data_samples"], mode="loss")["loss"]
    assert over.masked_l1(checkpoint, images, seed=3) == pytest.approx(float(loss), rel=1e-5)
    assert over.masked_l1(checkpoint, images, seed=4) != pytest.approx(float(loss), rel=1e-4)


def test_knn_is_the_figure_of_the_suites_run(suite, cifar, tmp_path):
    checkpoint = suite / "pretrain" / "simmim" / "epoch_2.pth"
    exported = export_backbone(checkpoint, tmp_path / "export").weights
    manifest = cifar.train(KNN, tmp_path / "knn", "--pretrained", exported)
    assert over.knn(checkpoint, str(KNN)) == pytest.approx(manifest.metrics["top1_k20"])


def test_config_of_the_backbone(suite, tmp_path):
    checkpoint = suite / "pretrain" / "simmim" / "epoch_2.pth"
    given = over.knn_config(suite, checkpoint, "x/knn_{backbone}.py")
    assert given == "x/knn_swin-demo.py"
    with pytest.raises(BenchError, match="no k-NN task of swin-demo"):
        over.knn_config(suite, checkpoint, None)
    with pytest.raises(BenchError, match="is not a k-NN config"):
        over.knn(checkpoint, str(PRETRAIN))


def test_correlation_of_ranks():
    points = [Point(1, 0.9, 30.0), Point(2, 0.5, 32.0), Point(3, 0.4, 80.0), Point(4, 0.39, 81.0)]
    assert rank_correlation(points) == pytest.approx(-1)
    assert rank_correlation([*points[:3], Point(4, 0.39, 31.0)]) == pytest.approx(-0.4)
    assert math.isnan(rank_correlation([Point(1, 0.5, 1.0), Point(2, 0.5, 2.0)]))


def test_pretrainings_that_colours_do_not_tell_apart_are_refused(suite, folder, tmp_path):
    for number in range(7):
        shutil.copytree(suite / "pretrain" / "simmim", tmp_path / f"seed{number}")
    given = {
        "images": [folder], "model": [], "out": tmp_path / "out", "count": 12, "seed": 0,
        "over_checkpoints": tmp_path, "knn": str(KNN), "target_class": None, "cam_layer": None,
    }  # fmt: skip
    with pytest.raises(BenchError, match=r"7 pretrainings .* at most 6; give a folder with fewer"):
        analyze(argparse.Namespace(**given), Console(quiet=True))
    assert not (tmp_path / "out").exists()


def test_the_page_says_which_errors_compare():
    points = [Point(1, 0.9, 30.0), Point(2, 0.5, 32.0)]
    text = checkpoint_section({"a": points, "b": points}, {"a": "knn.py", "b": "knn.py"}).text
    assert "of one pretraining; errors under different masking are not comparable" in text[0]


def test_the_page_of_a_suite(suite, cifar, folder, tmp_path):
    cifar.succeed(
        "tools/analyze.py",
        "representation",
        folder,
        "--over-checkpoints",
        suite,
        "--knn",
        KNN,
        "--out",
        tmp_path,
    )
    with (tmp_path / "checkpoints.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["2", "10"]
    assert all(0 < float(row["masked_l1"]) < 5 for row in rows)
    assert "Reconstruction error" in (tmp_path / "analysis.html").read_text("utf-8")


def test_a_config_that_only_a_plan_names_is_not_executed(suite, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    (tmp_path / "knn.py").write_text(f"open({str(marker)!r}, 'w')\n")
    folder = tmp_path / ".suite"
    folder.mkdir()
    (folder / "plan.json").touch()
    stages = [SimpleNamespace(config=str(tmp_path / "knn.py"))]
    monkeypatch.setattr(over.Plan, "read", lambda _: SimpleNamespace(stages=stages))
    checkpoint = suite / "pretrain" / "simmim" / "epoch_2.pth"
    with pytest.raises(BenchError, match="no k-NN task of swin-demo with a config below configs/"):
        over.knn_config(tmp_path, checkpoint, None)
    assert not marker.exists()
