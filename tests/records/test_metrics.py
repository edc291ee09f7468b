"""Which of an evaluator's figures become a record's metrics."""

import re

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.records.protocols import Protocol, check_metrics, protocol_metrics
from simmim_bench.tasks.detection import METRIC_NAMES
from tests.configs.reader import read_config

COCO = read_config("configs/coco/mask-rcnn_swin-b_fpn_1x.py").protocol.to_dict()
MEASURED = {
    f"coco/{kind}_{name}": (number + 1) / 100
    for kind in ("bbox", "segm")
    for number, name in enumerate(METRIC_NAMES)
}


def test_cocos_six_figures_of_boxes_and_of_masks_are_metrics_in_percent():
    found = protocol_metrics(COCO, MEASURED)
    parts = ("", "50", "75", "s", "m", "l")
    assert found == pytest.approx(
        {f"{kind}_ap{part}": i + 1 for kind in ("box", "mask") for i, part in enumerate(parts)}
    )
    check_metrics(found, Protocol(**COCO))


def test_a_size_that_the_data_have_not_is_left_out_and_the_run_still_counts():
    found = protocol_metrics(COCO, {**MEASURED, "coco/bbox_mAP_s": -1.0, "coco/segm_mAP_s": -1.0})
    assert len(found) == 10
    assert not {"box_aps", "mask_aps"} & set(found)
    check_metrics(found, Protocol(**COCO))


@pytest.mark.parametrize("key", ["coco/bbox_mAP", "coco/segm_mAP_50"])
def test_data_without_objects_are_refused(key):
    with pytest.raises(BenchError, match=re.escape(f"measured -1.0 for '{key}'")):
        protocol_metrics(COCO, {**MEASURED, key: -1.0})


def test_other_metrics_may_not_be_missing():
    found = protocol_metrics(COCO, MEASURED)
    del found["mask_ap50"]
    with pytest.raises(ValueError, match="metrics are box_ap"):
        check_metrics(found, Protocol(**COCO))
