"""Work dirs of trainings that were never trained: random weights, as `train` saves them."""

import os
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from mmengine import DefaultScope, MessageHub, MMLogger
from mmengine.hooks import Hook
from mmengine.visualization import Visualizer

from simmim_bench.config import load_config
from simmim_bench.data.demo.build import build_demo
from simmim_bench.data.demo.spec import DemoSpec
from simmim_bench.recipe.any_backbone import fill_backbone, is_open
from simmim_bench.training.adapt import use_cpu
from simmim_bench.training.process import prepare
from simmim_bench.training.runner import BenchRunner, configure
from simmim_bench.weights.strict import load_whole
from tests.calls import ROOT, call

CONFIGS = {
    "classification": ("demo/classification_swin-demo", []),
    "linear": ("small/cifar10-linear_swin-demo", []),
    "zero-shot": ("demo/zeroshot_swin-demo", []),
    "neighbours": (
        "small/cifar10-knn_swin-demo",
        [f"{part}.neighbours=[10,20]" for part in ("model", "val_evaluator", "test_evaluator")],
    ),
    "masks": ("demo/mask-rcnn_swin-demo_fpn", []),
    "boxes": ("demo/faster-rcnn_swin-demo_fpn", []),
    "segmentation": ("demo/upernet_swin-demo", []),
    "pretraining": ("demo/simmim_swin-demo", []),
    "contrastive": ("variants/simclr_swin-demo", []),
    "retrieval": ("demo/retrieval_swin-demo", []),
    "attentive": ("any/demo_attentive", ["train_dataloader.dataset.shots=2"]),
    "linear segmentation": ("any/demo_segmentation-linear-4", []),
    "depth": ("any/demo_depth-linear", []),
}
CARD = {
    "adapter": "swin",
    "architecture": {},
    "levels": {"strides": [4, 8, 16, 32], "channels": [32, 64, 128, 256]},
    "pretraining": {"backbone": "swin-demo"},
}
"""What a card says of the demo's Swin, beside its config."""


class Kept(Hook):
    """Keeps what the test of a runner predicts."""

    def __init__(self):
        self.samples = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):  # noqa: ARG002
        self.samples += outputs


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    spec = DemoSpec(train_objects=40, val_objects=11, unlabelled=4, train_scenes=4, val_scenes=4)
    build_demo(root, spec, processes=1)
    for name in ("cifar10", "coco"):
        (root / name).symlink_to(root / "demo" / {"cifar10": "imagenet"}.get(name, name))
    return root


@pytest.fixture(autouse=True)
def _instances(monkeypatch):
    """Global objects of mmengine are as before when a test ends."""
    for kind in (DefaultScope, MessageHub, MMLogger, Visualizer):
        monkeypatch.setattr(kind, "_instance_dict", kind._instance_dict.copy())


@pytest.fixture(scope="session")
def runs(data, tmp_path_factory):
    """Function that makes the run of a name: work dir, config, checkpoint; each once."""
    made = {}

    def make(name):
        if name not in made:
            with mock.patch.dict(os.environ, SIMMIM_BENCH_DATA=str(data)):
                made[name] = save_run(*CONFIGS[name], tmp_path_factory.mktemp(name))
        return made[name]

    return make


def save_run(config, options, folder):
    cfg = load_config(str(ROOT / f"configs/{config}.py"), overrides=options)
    if is_open(cfg):
        demo = load_config(str(ROOT / "configs/demo/simmim_swin-demo.py"))
        fill_backbone(cfg, {**CARD, "backbone_config": demo.model.backbone.to_dict()}, config)
    prepare("none", cfg.default_scope)
    use_cpu(cfg)
    configure(cfg, folder, "none", 0, [])
    torch.manual_seed(0)
    runner = BenchRunner.from_cfg(cfg)
    runner.load_or_resume()
    dataset = runner.build_dataloader(cfg.train_dataloader).dataset
    if "neighbours" in str(options):
        rows = len(dataset)
        runner.model.reserve(rows)
        runner.model.features.copy_(torch.nn.functional.normalize(torch.randn(rows, 256), dim=1))
        runner.model.labels.copy_(torch.arange(rows) % 10)
    path = folder / "epoch_1.pth"
    meta = {"cfg": cfg.pretty_text, "epoch": 1, "dataset_meta": dict(dataset.metainfo)}
    torch.save({"meta": meta, "state_dict": runner.model.state_dict()}, path)
    return SimpleNamespace(folder=folder, cfg=cfg, checkpoint=path)


@pytest.fixture
def tested(runs):
    """Function that gives the predictions of ``test``: data samples by image."""

    def tested(name):
        run = runs(name)
        content = torch.load(run.checkpoint, weights_only=False)
        runner = BenchRunner.from_cfg(run.cfg)
        load_whole(runner.model, content, checkpoint=run.checkpoint, config=name)
        kept = Kept()
        runner.register_hook(kept)
        runner.test()
        return {sample.img_path: sample for sample in kept.samples}

    return tested


@pytest.fixture
def predict(monkeypatch):
    """Function that runs ``predict`` where there are no data."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", "/nowhere")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: call("tools/predict.py", *words)
