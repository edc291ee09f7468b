"""Cost growth: exponents, synthetic detections, and the page that shows them."""

import json
import math
from pathlib import Path

import pytest

from benchmarks import growth
from benchmarks.growth import Curve
from simmim_bench import ops
from simmim_bench.records.protocols import known_protocols

ROOT = Path(__file__).parents[2]
STORED = ROOT / "benchmarks" / "growth.json"


def test_exponents_of_a_power_and_of_a_fixed_cost():
    square = Curve("s", "n", "a", tuple((size, 3 * size**2) for size in (1.0, 2.0, 8.0)))
    assert square.exponent() == pytest.approx(2)
    assert square.last_exponent() == pytest.approx(2)
    fixed = Curve("s", "n", "a", tuple((size, 100 + size) for size in (1.0, 100.0, 10_000.0)))
    assert 0 < fixed.exponent() < fixed.last_exponent() < 1


def test_detections_are_near_objects_and_the_same_at_every_call():
    ops.install()
    from simmim_bench.tasks.detection import CocoMetric

    truth, samples = growth.detections(20)
    assert len(samples) * growth.PER_IMAGE == 4 * len(truth["annotations"])
    assert json.dumps(growth.detections(20)[0]) == json.dumps(truth)
    metric = CocoMetric(ann_file="", metric=["bbox", "segm"])
    metric.dataset_meta = {"classes": tuple(one["name"] for one in truth["categories"])}
    assert len(metric.dataset_meta["classes"]) == growth.CLASSES


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_detections_are_evaluated(tmp_path, kind):
    ops.install()
    from simmim_bench.tasks.detection import CocoMetric

    truth, samples = growth.detections(10)
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(truth))
    metric = CocoMetric(ann_file=str(file), metric=kind)
    metric.dataset_meta = {"classes": tuple(one["name"] for one in truth["categories"])}
    metric.process(None, samples)
    values = metric.evaluate(size=len(samples))
    assert 0.2 < values[f"coco/{kind}_mAP_50"] < 1


def test_tables_are_built_from_records_of_several_sizes(monkeypatch):
    assert known_protocols()
    monkeypatch.setattr(growth, "RECORDS", (20, 40))
    curve = growth.records_curve(small=True)
    assert [size for size, _ in curve.points] == [20, 40]
    assert all(seconds > 0 for _, seconds in curve.points)


def test_the_picture_has_every_curve(tmp_path):
    stored = json.loads(STORED.read_text())["curves"]
    curves = [
        Curve(one["cost"], one["against"], one["name"], tuple(map(tuple, one["points"])))
        for one in stored
    ]
    for curve, one in zip(curves, stored, strict=True):
        assert curve.exponent() == pytest.approx(one["exponent"])
        assert math.isfinite(curve.last_exponent())
    growth.draw(curves, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 20_000


def test_the_page_shows_the_stored_exponents():
    page = (ROOT / "docs" / "speed.md").read_text("utf-8")
    stored = json.loads(STORED.read_text())["curves"]
    assert len(stored) == 15
    assert growth.markdown(stored) in page
