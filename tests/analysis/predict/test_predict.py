"""Predictions of `predict`: those of `test` for the same image, in files."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.mask import decode

from simmim_bench.reconstruction import evaluation_pipeline
from simmim_bench.reconstruction import predict as reconstruct

CLOSE = {"rel": 1e-5, "abs": 1e-6}


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def images(run):
    data = run.cfg.test_dataloader.dataset
    prefix = data.data_prefix
    prefix = prefix if isinstance(prefix, str) else next(iter(prefix.values()))
    return f"{data.data_root.rstrip('/')}/{prefix}"


@pytest.mark.parametrize("name", ["classification", "linear", "zero-shot", "attentive"])
def test_probabilities_are_those_of_the_test(name, runs, tested, predict, tmp_path):
    expected = tested(name)
    done = predict(runs(name).folder, images(runs(name)), "--out", tmp_path / "out", "--top", 3)
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "out/predictions.csv")
    assert {row["image"] for row in rows} == set(expected)
    for row in rows:
        scores = expected[row["image"]].pred_score.sort(descending=True)
        found = [float(row[f"probability {n}"]) for n in (1, 2, 3)]
        assert found == pytest.approx(scores.values[:3].tolist(), **CLOSE)
    assert f"{tmp_path}/out/predictions.csv" in done.stdout
    assert list((tmp_path / "out/sheets").iterdir())


def test_votes_are_those_of_the_test_and_neighbours_are_named(runs, tested, predict, tmp_path):
    run, expected = runs("neighbours"), tested("neighbours")
    predict(run.folder, images(run), "--out", tmp_path / "a")
    classes = torch.load(run.checkpoint, weights_only=False)["meta"]["dataset_meta"]["classes"]
    for row in table(tmp_path / "a/predictions.csv"):
        voted = expected[row["image"]].knn_label[1]  # of 20, as the protocol's primary metric
        assert row["class 1"] == classes[voted]
        assert row["nearest 1"].startswith("training image ")
        assert 0 < float(row["votes 1"]) <= 1
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    rows = len(torch.load(run.checkpoint, weights_only=False)["state_dict"]["labels"])
    (copy / "stored_images.txt").write_text("".join(f"cat/{n}.png\n" for n in range(rows)), "utf-8")
    predict(copy, images(run), "--out", tmp_path / "b")
    first, second = (table(tmp_path / place / "predictions.csv")[0] for place in "ab")
    number = first["nearest 1"].split()[2]
    assert second["nearest 1"] == f"cat/{number}.png"


@pytest.mark.parametrize("name", ["masks", "boxes"])
def test_objects_are_those_of_the_test(name, runs, tested, predict, tmp_path):
    run, expected = runs(name), tested(name)
    done = predict(run.folder, images(run), "--out", tmp_path / "out", "--batch", 3)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out/predictions.json"
    document, coco = json.loads(path.read_text("utf-8")), COCO(str(path))
    assert len(document["annotations"]) > 10
    named = [(each["id"], each["name"]) for each in document["categories"]]
    assert named == [(number + 1, f"digit_{number}") for number in range(10)]
    for image in document["images"]:
        [sample] = [s for at, s in expected.items() if at.endswith(f"/{image['file_name']}")]
        objects, truth = coco.loadAnns(coco.getAnnIds(image["id"])), sample.pred_instances
        boxes = np.array([o["bbox"] for o in objects]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        assert boxes == pytest.approx(truth.bboxes.numpy(), rel=1e-4, abs=1e-3)
        assert [o["score"] for o in objects] == pytest.approx(truth.scores.tolist(), rel=1e-4)
        assert [o["category_id"] - 1 for o in objects] == truth.labels.tolist()
        assert (image["height"], image["width"]) == sample.ori_shape
        if name == "masks":
            masks = np.array([decode(o["segmentation"]) for o in objects], bool)
            assert (masks != truth.masks.numpy()).mean() < 1e-4
        else:
            assert all("segmentation" not in each for each in objects)
        assert (tmp_path / f"out/pictures/{image['file_name']}").with_suffix(".png").is_file()


def test_depth_maps_are_those_of_the_test_in_millimetres(runs, tested, predict, tmp_path):
    run, expected = runs("depth"), tested("depth")
    done = predict(run.folder, images(run), "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = {row["image"].rpartition("/")[2]: row for row in table(tmp_path / "out/predictions.csv")}
    for path, sample in expected.items():
        name = path.rpartition("/")[2]
        depth = sample.pred_depth_map.data[0].numpy()
        stem = name.rpartition(".")[0]
        stored = Image.open(tmp_path / f"out/depth/{stem}.png").convert("I")
        assert np.abs(np.asarray(stored) - 1000 * depth).max() <= 0.51
        values = [float(rows[name][f"{place} (m)"]) for place in ("nearest", "median", "farthest")]
        assert values == pytest.approx([depth.min(), np.median(depth), depth.max()], rel=1e-5)
        with Image.open(tmp_path / f"out/pictures/{stem}.png") as drawn:
            assert drawn.width > 2 * depth.shape[1]
    assert len(rows) == 4


def test_label_maps_of_a_linear_probe_are_those_of_the_test(runs, tested, predict, tmp_path):
    run, expected = runs("linear segmentation"), tested("linear segmentation")
    done = predict(run.folder, images(run), "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for path, sample in expected.items():
        stem = path.rpartition("/")[2].rpartition(".")[0]
        labels = np.asarray(Image.open(tmp_path / f"out/labels/{stem}.png"))
        assert (labels == sample.pred_sem_seg.data[0].numpy() + 1).all()


@pytest.mark.parametrize("reduced", [True, False])
def test_label_maps_have_the_values_of_the_data(reduced, runs, tested, predict, tmp_path):
    run, expected = runs("segmentation"), tested("segmentation")
    content = torch.load(run.checkpoint, weights_only=False)
    assert content["meta"]["dataset_meta"]["reduce_zero_label"]  # 0 is no class of the demo
    content["meta"]["dataset_meta"]["reduce_zero_label"] = reduced
    torch.save(content, tmp_path / "epoch_1.pth")
    done = predict(tmp_path / "epoch_1.pth", images(run), "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for path, sample in expected.items():
        name = path.rpartition("/")[2].rpartition(".")[0]
        labels = Image.open(tmp_path / f"out/labels/{name}.png")
        assert labels.size[::-1] == sample.ori_shape
        assert (np.asarray(labels) == sample.pred_sem_seg.data[0].numpy() + reduced).all()
        assert (labels.getpalette()[:3] == [0, 0, 0]) == reduced
    rows = table(tmp_path / "out/classes.csv")
    assert [int(row["value"]) for row in rows] == list(range(reduced, 11 + reduced))
    pixels = sum(sample.pred_sem_seg.data.numel() for sample in expected.values())
    assert sum(int(row["pixels"]) for row in rows) == pixels


def test_a_pretraining_shows_reconstructions(runs, predict, data, tmp_path):
    run = runs("pretraining")
    given = sorted((data / "demo/coco/val2017").iterdir())[:2]
    done = predict(run.folder, *given, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    from simmim_bench.analysis.models import load_pretraining

    model = load_pretraining(run.cfg, run.checkpoint)
    expected = reconstruct(model, evaluation_pipeline(run.cfg, seed=0), given).psnr().tolist()
    rows = table(tmp_path / "out/predictions.csv")
    found = [float(row["PSNR of the masked part (dB)"]) for row in rows]
    assert found == pytest.approx(expected, rel=1e-4)
    picture = Image.open(tmp_path / f"out/pictures/{given[0].stem}.png")
    assert picture.width > 3 * picture.height
