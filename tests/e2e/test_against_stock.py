"""The libraries' own evaluation of our checkpoints gives our figures."""

import math

import pytest

from benchmarks.against_stock import gap
from tests.e2e.conftest import CONFIGS


@pytest.mark.parametrize(
    ("ours", "stock", "expected"),
    [
        (0.25, 0.5, 0.25),
        (math.nan, math.nan, 0.0),  # a class of which the data have none
        (math.nan, 0.5, math.inf),
        (0.5, math.nan, math.inf),
    ],
)
def test_a_figure_that_only_one_side_has_differs(ours, stock, expected):
    assert gap(ours, stock) == expected


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_stock_parts_give_our_figures(tools, tmp_path, task):
    tools.train(CONFIGS[task], tmp_path, "--from-scratch", options=["train_cfg.max_epochs=1"])
    output = tools.succeed("benchmarks/against_stock.py", CONFIGS[task], tmp_path / "epoch_1.pth")
    rows = [line for line in output.splitlines() if line.startswith("| ")]
    assert any(name in row for row in rows for name in ("accuracy/top1", "coco/segm_mAP", "mIoU"))
