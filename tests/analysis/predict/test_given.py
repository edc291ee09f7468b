"""tools/predict.py: images unlike those of the training, the skipped ones, and what to run next."""

import json
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from mmengine.config import Config
from PIL import Image

from simmim_bench.analysis.predict.following import next_command
from simmim_bench.analysis.predict.unlike import (
    ALPHA,
    DEEP,
    GREY,
    differences,
    header_of,
    misfit,
    warning,
)
from simmim_bench.data.reading import PLAIN, Reading
from simmim_bench.shipped import HOME as ROOT

CONFIG = "configs/small/cifar10_swin-demo.py"
TWELVE_BITS = Reading(4, (0.0, 4095.0))


@pytest.fixture
def images(tmp_path):
    """Plain RGB, and one image each of other depth or bands."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "plain.png")
    Image.new("RGBA", (8, 8)).save(folder / "alpha.png")
    Image.fromarray(np.full((8, 8), 900, np.uint16)).save(folder / "deep.png")
    bands = np.full((8, 8, 4), 900, np.uint16)
    tifffile.imwrite(folder / "four.tif", bands, photometric="rgb", extrasamples=["unassalpha"])
    five = np.zeros((8, 8, 5), np.uint8)
    tifffile.imwrite(folder / "five.tif", five, photometric="minisblack", planarconfig="contig")
    return folder


def found(path, reading, peak=200.0):
    return tuple(differences(header_of(str(path)), peak, reading))


def test_images_of_another_depth_or_with_more_bands_are_counted_and_named(images):
    seen = {name: found(images / name, PLAIN) for name in ("plain.png", "alpha.png", "deep.png")}
    assert seen == {"plain.png": (), "alpha.png": (ALPHA,), "deep.png": (GREY, DEEP)}
    assert found(images / "four.tif", PLAIN) == (ALPHA, DEEP)
    assert warning([("a", ()), ("b", ())]) is None
    said = warning([*seen.items(), *((f"{n}.png", (ALPHA,)) for n in range(4))])
    assert said.startswith("warning: 6 of 7 images differ")
    assert f"5 {ALPHA}: alpha.png, 0.png, 1.png and 2 more; 1 {GREY}: deep.png" in said


def test_values_far_from_the_range_of_the_training(images):
    assert found(images / "four.tif", TWELVE_BITS) == ()  # 12 bits are stored in 16
    assert found(images / "four.tif", TWELVE_BITS, peak=4000.0) == (
        "with values far above the range, too bright since the run expects 0 to 4095",
    )
    assert "of 8 bits, too dark since the run expects 0 to 65535" in found(
        images / "plain.png", Reading(3, (0.0, 65535.0))
    )


def test_a_misfit_says_what_the_run_reads(images):
    header = header_of(str(images / "five.tif"))
    assert misfit(header, PLAIN).startswith("has 5 bands, the run reads RGB or grey; save those")
    assert "the run reads 1 band;" in misfit(header, Reading(1))
    fewer = misfit(header_of(str(images / "plain.png")), TWELVE_BITS)
    assert fewer == "has 3 bands, the run reads 4 bands; use a run that was trained with 3 bands"
    assert misfit(header_of(str(images / "four.tif")), PLAIN) is None


def test_what_the_command_says_of_them(images, runs, predict, tmp_path):
    for number in range(12):
        shutil.copy(images / "five.tif", images / f"{number:02}.tif")
    done = predict(runs("classification").folder, images, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"image {images}/00.tif has 5 bands, the run reads RGB or grey" in done.stdout
    assert "--verify" not in done.stdout
    assert "... and 3 more\n" in done.stdout
    assert "warning: 3 of 4 images differ" in done.stdout
    rows = (tmp_path / "out/skipped.csv").read_text("utf-8").splitlines()
    assert len(rows) == 14
    again = predict(runs("classification").folder, images / "plain.png", "--out", tmp_path / "out")
    assert again.returncode == 0
    assert not (tmp_path / "out/skipped.csv").exists()
    assert "warning" not in again.stdout


def trained(folder, root, overrides, task="classification", config=CONFIG):
    manifest = {"config": {"path": config, "overrides": overrides}}
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    loader = {"dataset": {"data_root": str(root)}}
    cfg = Config({"test_dataloader": loader, "train_dataloader": loader})
    checkpoint = folder / "epoch_1.pth"
    return SimpleNamespace(folder=folder, task=task, cfg=cfg, checkpoint=checkpoint)


def test_the_next_command_measures_the_run_on_its_own_data(monkeypatch, tmp_path):
    own = tmp_path / "data/my leaves"
    own.mkdir(parents=True)
    (own / "dataset.json").write_text("{}")
    overrides = ["model.head.topk=[1]", "--data=my leaves", "--image-size=128", "--epochs=3"]
    run = trained(tmp_path / "my run", own, overrides)
    start = ["simmim-bench", "test", CONFIG, str(run.checkpoint)]
    rest = ["--image-size", "128", "--cfg-options", "model.head.topk=[1]"]
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path / "data"))
    assert shlex.split(next_command(run)) == [*start, "--data", "my leaves", *rest]
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(tmp_path))
    assert shlex.split(next_command(run)) == [*start, "--data", str(own), *rest]
    run = trained(tmp_path / "my run", "/d/cifar", ["--data-root=cifar", "--num-classes=4"])
    rest = ["--data-root", "/d/cifar", "--num-classes", "4"]
    assert shlex.split(next_command(run)) == [*start, *rest]


def test_the_next_command_of_a_stranger_runs_nothing_and_of_any_backbone_needs_no_weights(tmp_path):
    for override in ("model.type=os.system", "custom_imports.imports=[os]"):
        assert next_command(trained(tmp_path / "run", "", [override])) is None
    assert next_command(trained(tmp_path / "run", "", [], config="../x.py")) is None
    config = next((ROOT / "configs/any").glob("*.py"))
    run = trained(tmp_path / "run", "", [], config=str(config.relative_to(ROOT)))
    assert next_command(run) == f"simmim-bench leaderboard build --work-dir {tmp_path}/run"


def test_the_next_command_of_a_pretraining_exports_once(tmp_path):
    run = trained(tmp_path / "my run", "", [], task="pretraining")
    exported = shlex.split(next_command(run))
    export = Path(run.folder, "export")
    assert exported == [*("simmim-bench", "export", str(run.checkpoint), "--out", str(export))]
    export.mkdir()
    (export / "backbone.pth").touch()
    assert shlex.split(next_command(run)) == [
        *("simmim-bench", "evaluate", str(export / "backbone.pth"))
    ]
