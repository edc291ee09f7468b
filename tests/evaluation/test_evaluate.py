"""The whole command: from weights to a table."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from simmim_bench.data.own import Images, OwnDataset, write_dataset
from simmim_bench.errors import BenchError
from simmim_bench.evaluation.evaluate import Request, evaluate, find_entries
from simmim_bench.records.store import read_records
from simmim_bench.weights.export import export_backbone
from tests.weights.test_pretrained import SWIN, VIT

ROOT = Path(__file__).parents[2]
COLOURS = {"dark": 40, "light": 210}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Two classes of four training and two validation images, below a data root."""
    root = tmp_path / "data"
    for split, number in (("train", 4), ("val", 2)):
        for name, level in COLOURS.items():
            folder = root / "shades" / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                image = Image.new("RGB", (40, 40), (level + index, level, level))
                image.save(folder / f"{index}.png")
    dataset = OwnDataset(
        name="shades",
        task="classification",
        classes=tuple(COLOURS),
        mean=(120.0, 120.0, 120.0),
        std=(60.0, 60.0, 60.0),
        images=Images(train=8, val=4),
        fingerprint="0" * 64,
        origin="a test",
    )
    write_dataset(dataset, root / "shades")
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(root))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run(*arguments):
    command = [sys.executable, "tools/evaluate.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_from_weights_to_a_table(data, save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(SWIN), tmp_path / "mine").weights
    out = tmp_path / "out"
    arguments = (weights, "--data", "shades", "--tasks", "knn", "--against", "none", "--out", out)
    done = run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    for text in ("cost:    1 run, about", "simmim", "top-1, k = 20", "index.html", "next:"):
        assert text in done.stdout
    [record] = read_records(out / "results/records")
    assert record.metrics == {"top1_k10": 100.0, "top1_k20": 100.0}  # dark or light is easy
    assert record.data.name == "shades"
    assert any("all 8 training images vote" in text for text in record.deviations)
    assert "nothing to run" in run(*arguments).stdout


def test_mistakes_are_said_before_anything_is_written(tmp_path):
    out = tmp_path / "out"
    (tmp_path / "some.pth").write_bytes(b"\x80\x02")
    for arguments, said in (
        ((tmp_path / "no.pth",), "no.pth does not exist; "),
        ((tmp_path / "some.pth", "--tasks", "knnn"), "there is no task 'knnn'; did you mean knn?"),
        (
            (tmp_path / "some.pth", "--tasks", "detection", "--cache-gb", 3),
            "--cache-gb is for probes",
        ),
        ((tmp_path / "some.pth", "--frozen", "--data", "demo", "coco"), "--data coco: none of the"),
    ):
        done = run(*arguments, "--out", out)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_the_same_weights_twice_are_one_row(save_pretraining, tmp_path):
    weights = str(export_backbone(save_pretraining(SWIN), tmp_path / "mine").weights)
    assert len(find_entries([weights, weights])) == 1


def test_a_size_that_the_patches_do_not_fill_is_refused(save_pretraining, tmp_path):
    backbone = {**VIT, "patch_size": 14, "img_size": 56}
    weights = export_backbone(save_pretraining(backbone), tmp_path / "mine").weights
    request = Request(
        weights=str(weights), root=ROOT, tasks=["knn"], out=tmp_path / "out", dry_run=True
    )
    with pytest.raises(BenchError, match=r"divisible by patch size 14; use --image-size 56 or 70$"):
        evaluate(request, Console())
    assert not (tmp_path / "out").exists()


def test_a_model_of_timm_is_built_in_silence(capfd):
    from simmim_bench.registry import MODELS

    MODELS.build({"type": "simmim_bench.TimmFeatures", "model_name": "test_resnet"})
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
