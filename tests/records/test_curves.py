"""Scalars of a run's log, and the curves that records keep of them."""

import json

import numpy as np
import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.curves import MAX_POINTS, curves_of, read_scalars, thin


@pytest.mark.parametrize("count", [1, 2, MAX_POINTS, MAX_POINTS + 1, 10_000])
def test_thinning_keeps_ends_order_and_mean(count):
    steps = np.arange(1, count + 1)
    values = np.linspace(5, 1, count)
    points = np.array(thin(steps, values, against="iteration").points)
    assert len(points) == min(count, MAX_POINTS)
    assert points[-1, 0] == count
    assert (np.diff(points[:, 0]) > 0).all()
    assert points[:, 1].mean() == pytest.approx(values.mean(), abs=0.05)


def write_scalars(folder, rows):
    file = folder / "20250101_000000" / "vis_data" / "scalars.json"
    file.parent.mkdir(parents=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_loss_by_iteration_and_metrics_in_percent_by_epoch(tmp_path):
    write_scalars(
        tmp_path,
        [
            {"loss": 3.0, "iter": 10, "step": 10},
            {"loss": float("nan"), "iter": 15, "step": 15},
            {"loss": 2.0, "iter": 20, "step": 20},
            {"coco/bbox_mAP": 0.25, "step": 1},
            {"coco/bbox_mAP": 0.5, "step": 2},
        ],
    )
    protocol = {"metrics": {"box_ap": "coco/bbox_mAP", "mask_ap": "coco/segm_mAP"}}
    curves = curves_of(tmp_path, protocol, by_epoch=True)
    assert {name: curve.as_json() for name, curve in curves.items()} == {
        "loss": {"against": "iteration", "points": [[10.0, 3.0], [20.0, 2.0]]},
        "box_ap": {"against": "epoch", "points": [[1.0, 25.0], [2.0, 50.0]]},
    }


def test_sizes_that_the_data_lack_have_no_curve(tmp_path):
    folder = tmp_path / "log" / "vis_data"
    folder.mkdir(parents=True)
    line = {"coco/bbox_mAP": 0.25, "coco/bbox_mAP_l": -1.0, "step": 1}
    (folder / "scalars.json").write_text(json.dumps(line) + "\n")
    metrics = {"box_ap": "coco/bbox_mAP", "box_apl": "coco/bbox_mAP_l"}
    found = curves_of(tmp_path, {"metrics": metrics}, by_epoch=True)
    assert [(name, curve.points) for name, curve in found.items()] == [("box_ap", [(1.0, 25.0)])]


def test_a_run_that_logged_nothing_has_no_curve(tmp_path):
    assert curves_of(tmp_path, None, by_epoch=False) == {}


@pytest.fixture
def write(tmp_path):
    def save(name, text):
        folder = tmp_path / name / "vis_data"
        folder.mkdir(parents=True)
        (folder / "scalars.json").write_text(text, "utf-8")
        return tmp_path

    return save


def test_later_values_of_a_resumed_run_count(write):
    write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n{"loss": 2.0, "iter": 2, "step": 2}\n')
    folder = write("2", '{"loss": 1.5, "iter": 2, "step": 2}\n{"psnr": 20.0, "step": 1}\n')
    assert read_scalars(folder, "loss") == ([1, 2], [3.0, 1.5])


def test_a_line_that_was_cut_off_is_skipped(write):
    folder = write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n{"loss": 2.0, "it')
    assert read_scalars(folder, "loss") == ([1], [3.0])


def test_an_unknown_scalar_names_the_known(write):
    folder = write("1", '{"loss": 3.0, "iter": 1, "step": 1}\n')
    with pytest.raises(BenchError, match="has no scalar 'los'; it has iter, loss, step"):
        read_scalars(folder, "los")
