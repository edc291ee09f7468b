"""Counts by class against hand-made cases, and the files that are written of them."""

import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from simmim_bench.tasks.class_report import (
    WORST,
    ClassificationReport,
    DetectionReport,
    SegmentationReport,
    write_report,
)
from simmim_bench.training.hooks import predictions
from simmim_bench.training.hooks.predictions import ClassReportHook

NAMES = ("cat", "dog", "eel")


def image(scores, truth, path="a.png"):
    return {"pred_score": torch.tensor(scores), "gt_label": torch.tensor([truth]), "img_path": path}


def objects(labels, boxes, scores=None):
    found = {"labels": torch.tensor(labels, dtype=torch.long),
             "bboxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)}  # fmt: skip
    return found if scores is None else {**found, "scores": torch.tensor(scores)}


def test_accuracy_by_class():
    report = ClassificationReport(NAMES)
    report.add(image([0.7, 0.2, 0.1], 0))
    report.add(image([0.1, 0.6, 0.3], 0, "bad.png"))
    report.add(image([0.1, 0.8, 0.1], 1))
    assert report.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    cat, dog, eel = report.rows()
    assert cat == {"class": "cat", "images": 2, "accuracy": 50.0}
    assert dog["accuracy"] == 100.0
    assert math.isnan(eel["accuracy"])
    worst = min(report.worst)
    assert (worst.path, worst.note) == ("bad.png", "cat, taken for dog")
    assert worst.score == pytest.approx(0.1)


def test_only_the_worst_are_kept():
    report = ClassificationReport(NAMES)
    for n in range(500):
        report.add(image([n / 1000, 0.9, 0.0], 0, f"{n:03}.png"))
    assert len(report.worst) <= 4 * WORST
    assert [bad.path for bad in sorted(report.worst)[:WORST]] == [
        f"{n:03}.png" for n in range(WORST)
    ]


def test_iou_by_class():
    truth = torch.tensor([[0, 0, 1], [1, 1, 255]])
    predicted = torch.tensor([[0, 1, 1], [1, 0, 2]])
    report = SegmentationReport(NAMES)
    report.add({"gt_sem_seg": {"data": truth[None]}, "pred_sem_seg": {"data": predicted[None]}})
    assert report.confusion.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    cat, dog, eel = report.rows()
    assert (cat["IoU"], dog["IoU"]) == (pytest.approx(100 / 3), 50.0)
    assert (cat["pixels"], cat["accuracy"]) == (2, 50.0)
    assert math.isnan(eel["IoU"])
    assert report.worst[0].score == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_objects_found_missed_and_invented():
    truth = objects([0, 1, 2], [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])
    said = objects(
        [0, 2, 1, 0],
        [[1, 0, 10, 10], [20, 0, 30, 10], [70, 0, 80, 10], [40, 0, 50, 10]],
        [0.9, 0.8, 0.7, 0.1],  # the last is not confident
    )
    report = DetectionReport(NAMES)
    report.add({"gt_instances": truth, "pred_instances": said})
    wanted = np.zeros((4, 4), int)
    wanted[0, 0] = wanted[1, 2] = wanted[2, 3] = wanted[3, 1] = 1
    assert report.confusion.tolist() == wanted.tolist()
    cat, dog, eel = report.rows()
    assert (cat["recall"], cat["precision"]) == (100.0, 100.0)
    assert (dog["recall"], dog["precision"], eel["recall"]) == (0.0, 0.0, 0.0)
    assert report.worst[0].note == "1 of 3 found, 2 wrong"
    assert report.worst[0].score == pytest.approx(2 / 6)


def test_an_empty_image_without_detections_is_right():
    report = DetectionReport(NAMES)
    report.add({"gt_instances": objects([], []), "pred_instances": objects([], [], [])})
    assert report.worst[0].score == 1.0


def test_files(tmp_path):
    report = ClassificationReport(NAMES)
    Image.new("RGB", (40, 30), "red").save(tmp_path / "there.png")
    report.add(image([0.2, 0.8, 0.0], 0, str(tmp_path / "there.png")))
    report.add(image([0.9, 0.1, 0.0], 0, str(tmp_path / "gone.png")))
    report.more = {"bbox AP": [12.345, float("nan"), 0.0]}
    folder = tmp_path / "classes"
    write_report(report, folder)
    with (folder / "per_class.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {"class": "cat", "images": "2", "accuracy": "50", "bbox AP": "12.35"}
    assert rows[1] == {"class": "dog", "images": "0", "accuracy": "", "bbox AP": ""}
    assert (folder / "confusion.csv").read_text().splitlines()[1] == "cat,1,1,0"
    assert "there.png,0.2000" in (folder / "worst.csv").read_text()
    for name in ("confusion.png", "worst.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 100


@pytest.mark.parametrize(("rank", "counted"), [(0, [0, 2]), (1, [1])])
def test_images_that_fill_the_last_round_count_once(monkeypatch, tmp_path, rank, counted):
    """Three images on two processes: the second sees the first image again."""
    monkeypatch.setattr(predictions, "get_world_size", lambda: 2)
    monkeypatch.setattr(predictions, "get_rank", lambda: rank)
    monkeypatch.setattr(predictions, "write_report", lambda report, _: written.append(report))
    written = []
    dataset = type("Data", (), {"metainfo": {"classes": NAMES}, "__len__": lambda _: 3})()
    runner = SimpleNamespace(
        val_dataloader=SimpleNamespace(dataset=dataset),
        val_loop=SimpleNamespace(evaluator=SimpleNamespace(metrics=[])),
        work_dir=tmp_path,
    )
    hook = ClassReportHook(task="classification")
    hook.before_val_epoch(runner)
    shown = {0: [0, 2], 1: [1, 0]}[rank]
    samples = [image([0.9, 0.1, 0.0], 0, f"{number}.png") for number in shown]
    outputs = [type("Sample", (dict,), {"to_dict": dict.copy})(sample) for sample in samples]
    hook.after_val_iter(runner, 0, outputs=outputs)
    hook.after_val_epoch(runner)
    assert written[0].confusion.sum() == len(counted)
    assert {bad.path for bad in written[0].worst} == {f"{number}.png" for number in counted}
