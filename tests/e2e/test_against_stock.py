"""The libraries' own evaluation of our checkpoints gives our figures."""

import pytest

from tests.e2e.conftest import CONFIGS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_stock_parts_give_our_figures(tools, tmp_path, task):
    tools.train(CONFIGS[task], tmp_path, "--from-scratch", options=["train_cfg.max_epochs=1"])
    output = tools.succeed("benchmarks/against_stock.py", CONFIGS[task], tmp_path / "epoch_1.pth")
    rows = [line for line in output.splitlines() if line.startswith("| ")]
    assert any(name in row for row in rows for name in ("accuracy/top1", "coco/segm_mAP", "mIoU"))
