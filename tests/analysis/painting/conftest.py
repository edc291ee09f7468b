"""Models, images, and `analyze painting` on three of them."""

import argparse
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image
from rich.console import Console

from simmim_bench.analysis.painting import evaluate as module
from simmim_bench.analysis.painting.predictor import Predictor
from simmim_bench.records.manifest import Manifest
from simmim_bench.registry import MODELS
from tests.configs.reader import read_config
from tests.e2e.conftest import PRETRAIN

FOLDER = Path(__file__).parents[3] / "configs" / "generation"


class Grey:
    """Predicts one grey."""

    image_size = (64, 64)

    def __init__(self, grid=(4, 4)):
        self.grid = grid
        self.hidden = []

    def predict(self, images, patches):
        assert len(images) == len(patches)
        self.hidden.append(patches)
        return np.full_like(images, 128)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Weights as drawn, in the form of a training's checkpoint."""
    torch.manual_seed(0)
    cfg = read_config(PRETRAIN)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    path = tmp_path_factory.mktemp("weights") / "epoch_1.pth"
    torch.save({"state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def predictor(checkpoint):
    cfg = read_config(PRETRAIN)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(checkpoint)["state_dict"])
    mask = {"mask_patch_size": 16, "mask_ratio": 0.6, "token_size": 4}
    return Predictor(model=model, image_size=(64, 64), mask=mask)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 91, 3), dtype=np.uint8)


@pytest.fixture
def mask():
    drawn = np.zeros((50, 91), dtype=bool)
    drawn[3:30, 20:41] = True
    return drawn


@pytest.fixture
def files(tmp_path, image, mask):
    """An image and a mask as a user has them."""
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    return tmp_path


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def call(tmp_path, monkeypatch, images, make_run):
    """Run the tool on three images, with a reference network if one is given."""
    for number, image in enumerate(images):
        (tmp_path / "data" / "val2017").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "data" / "val2017" / f"{number}.png")
    text = (FOLDER / "painting_demo.py").read_text("utf-8")
    text = text.replace("{{$SIMMIM_BENCH_DATA:data}}/demo/coco", str(tmp_path / "data"))
    text = text.replace("count=200", "count=3")
    text = text.replace("../_base_", str(FOLDER.parent / "_base_"))
    (tmp_path / "protocol.py").write_text(text)
    monkeypatch.setattr(module, "load_predictor", lambda *_, **__: Grey())
    monkeypatch.setattr(module, "_cost", lambda *_: make_run.cost)

    def run(reference_network=None, **changes):
        if reference_network is not None:
            named = f"{text}painting.update(reference_network={reference_network!r})\n"
            (tmp_path / "protocol.py").write_text(named)
        given = {
            "config": "simmim.py", "run": make_run.folder, "rows": 2, "cfg_options": [],
            "image_size": None,
            "dataset_name": None, "data": None,
            "protocol": str(tmp_path / "protocol.py"), "out": tmp_path / "out", **changes,
        }  # fmt: skip
        module.evaluate(argparse.Namespace(**given), Console(file=io.StringIO()))
        return tmp_path / "out"

    return run


@pytest.fixture
def make_run(tmp_path):
    """A finished pretraining's folder, its manifest alone."""
    sha, now = "0" * 64, "2026-01-01T00:00:00Z"
    manifest = Manifest(
        stage="pretrain", status="complete", kind="smoke", method="simmim", backbone="swin-demo",
        seed=3, config={"path": "simmim.py", "sha256": sha},
        pretraining={"method": "simmim", "backbone": "swin-demo", "dataset": "toy", "seed": 3},
        outputs={"checkpoint": {"path": "epoch_1.pth", "sha256": "a" * 64}},
        cost={"device": "CPU", "device_count": 1, "wall_seconds": 7, "peak_memory_mb": 1},
        environment={"python": "3", "platform": "toy"}, started=now, finished=now,
    )  # fmt: skip
    manifest.write(tmp_path / "run" / "manifest.json")
    return argparse.Namespace(folder=tmp_path / "run", cost=manifest.cost)
