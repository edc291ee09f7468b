"""A protocol on a few images: manifest, record, gallery, and what is refused."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from simmim_bench.analysis.painting import evaluate as module
from simmim_bench.analysis.painting.inpaint import random_squares
from simmim_bench.analysis.painting.predictor import load_predictor
from simmim_bench.errors import BenchError
from simmim_bench.records.manifest import CPU, Manifest
from simmim_bench.records.protocols import Protocol
from simmim_bench.records.record import Record
from tests.analysis.painting.conftest import FOLDER, Grey
from tests.configs.reader import read_config
from tests.e2e.conftest import PRETRAIN

ROOT = Path(__file__).parents[3]
PROTOCOLS = sorted(FOLDER.glob("*.py"))


@pytest.fixture
def masks():
    return random_squares(3, (64, 64), side=16, ratio=0.5, seed=0)


def test_there_are_protocols_and_they_are_valid():
    assert {path.stem for path in PROTOCOLS} == {
        "painting_coco",
        "painting_coco-vgg16",
        "painting_demo",
    }
    for path in PROTOCOLS:
        cfg = read_config(path)
        protocol = Protocol(**cfg.protocol.to_dict())
        assert protocol.task == "generation"
        assert str(cfg.painting.count) in protocol.split


@pytest.mark.parametrize("path", PROTOCOLS, ids=lambda path: path.stem)
def test_every_method_inpaints_the_same_squares(path):
    cfg = read_config(path)
    masks = module.masks_of(cfg)
    assert masks.shape == (cfg.painting.count, 64, 64)
    squares = masks.reshape(-1, 4, 16, 4, 16).transpose(0, 1, 3, 2, 4).reshape(-1, 4, 4, 256)
    assert (squares.all(axis=3) == squares.any(axis=3)).all()
    assert (squares.any(axis=3).sum(axis=(1, 2)) == 7).all()  # 0.4 x 16, rounded up
    assert len(np.unique(masks, axis=0)) > 0.9 * len(masks)


@pytest.mark.parametrize("grid", [(32, 32), (8, 8), (4, 4)])
def test_every_patch_that_a_square_touches_is_hidden(images, grid):
    """The method's patches change what it sees, never what is inpainted and measured."""
    masks = random_squares(3, (64, 64), side=16, ratio=0.2, seed=0)
    predictor = Grey(grid)
    results = module.predict_all(predictor, images, masks, scale=2, seed=0)
    assert (results["masks"] == masks).all()
    assert ((results["inpaint"] != images).any(axis=3) <= masks).all()
    assert (results["inpaint"][masks] == 128).all()
    for number, hidden in enumerate(predictor.hidden[:3]):
        places = [np.arange(64) * count // 64 for count in grid]
        for row, column in np.ndindex(grid):
            inside = np.ix_(places[0] == row, places[1] == column)
            assert hidden[0, row, column] == masks[number][inside].any()


def test_a_method_that_would_see_nothing_is_refused(images, masks):
    with pytest.raises(BenchError, match="the protocol's mask touches all 4 patches"):
        module.predict_all(Grey((2, 2)), images, masks, scale=2, seed=0)


def test_squares_that_do_not_fit_are_refused():
    with pytest.raises(BenchError, match="not divisible by mask patch size 24"):
        random_squares(1, (64, 64), side=24, ratio=0.4, seed=0)
    with pytest.raises(BenchError, match="ratio"):
        random_squares(1, (64, 64), side=16, ratio=1.5, seed=0)


def test_metrics_are_those_of_the_protocols(images, masks):
    results = module.predict_all(Grey(), images, masks, scale=2, seed=0)
    measured = module.measure(results)
    for path in PROTOCOLS:
        assert set(read_config(path).protocol.metrics.values()) == set(measured)
    errors = [np.mean((images[n][masks[n]] / 255 - 128 / 255) ** 2) for n in range(3)]
    wanted = np.mean([-10 * np.log10(error) for error in errors])
    assert measured["inpaint/psnr"] == pytest.approx(wanted, rel=1e-4)
    for name in ("psnr", "ssim", "features"):  # no detail
        assert measured[f"super/{name}"] == pytest.approx(measured[f"bicubic/{name}"])


def test_the_gallery_shows_a_row_for_each_image(images, masks):
    results = module.predict_all(Grey(), images, masks, scale=2, seed=0)
    drawn = module.gallery(results, rows=2)
    assert drawn.shape == (2 * 68, 6 * 68, 3)
    assert (drawn[68:132, :64] == images[1]).all()
    assert (drawn[:64, 5 * 68 : 5 * 68 + 64] == results["super"][0]).all()


def test_predictions_use_the_device_of_trainings(checkpoint, monkeypatch):
    monkeypatch.setattr("mmengine.device.get_device", lambda: "meta")
    model = load_predictor(str(PRETRAIN), checkpoint).model
    assert {value.device.type for value in model.parameters()} == {"meta"}
    assert model.data_preprocessor.mean.device.type == "meta"


def test_the_cost_names_the_device(predictor, monkeypatch):
    """A model on the CPU of a machine that has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "a GPU")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: 5 * 2**20)
    cost = module._cost(predictor, 2.0, 3)
    assert cost.device.startswith(CPU)
    assert cost.peak_memory_mb > 50  # torch itself
    elsewhere = argparse.Namespace(model=OnGpu())
    assert module._cost(elsewhere, 2.0, 3).device == "a GPU"
    assert module._cost(elsewhere, 2.0, 3).peak_memory_mb == 5


class OnGpu:
    """As far as its parameters say."""

    def parameters(self):
        weight = argparse.Namespace(device=torch.device("cuda", 0), numel=lambda: 7)
        return iter([weight])


def test_manifest_and_record_say_whose_weights_were_measured(call):
    out = call()
    record = Record.model_validate(json.loads((out / "record.json").read_text("utf-8")))
    assert (record.protocol.id, record.protocol.version) == ("demo-painting", 2)
    assert record.pretraining.checkpoint_sha256 == "a" * 64
    assert (record.method, record.seed, record.kind) == ("simmim", 3, "smoke")
    assert record.pretraining_cost.wall_seconds == 7
    assert Manifest.read(out / "manifest.json").metrics == record.metrics
    assert (out / "gallery.png").is_file()


def test_what_the_tool_refuses(call, tmp_path):
    with pytest.raises(BenchError, match="does not state count, square, ratio, scale, seed in"):
        call(protocol=str(FOLDER.parent / "demo" / "simmim_swin-demo.py"))
    first = tmp_path / "first.py"
    without = "_delete_=True, count=3, ratio=0.4, scale=2, seed=0"
    text = (tmp_path / "protocol.py").read_text("utf-8").replace("count=3", without)
    first.write_text(text)
    with pytest.raises(BenchError, match=r"does not state square in `painting`"):
        call(protocol=str(first))
    with pytest.raises(BenchError, match="--rows must be an integer >= 1, got 0"):
        call(rows=0)
    (tmp_path / "data" / "val2017" / "0.png").unlink()
    with pytest.raises(BenchError, match="found 2 images, the protocol needs 3"):
        call()
    file = tmp_path / "run" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "stage": "export"}), "utf-8")
    with pytest.raises(BenchError, match="give a complete pretraining"):
        call()
    assert not (tmp_path / "out").exists()


def test_the_tool_says_nothing_but_what_is_wrong(tmp_path):
    words = ["--protocol", "configs/generation/painting_demo.py", "--out", tmp_path / "out"]
    command = ["tools/analyze.py", "painting", "configs/demo/simmim_swin-demo.py", tmp_path, *words]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
