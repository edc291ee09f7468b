"""Mean IoU against a confusion matrix counted pixel by pixel."""

import numpy as np
import pytest
import torch

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS

IGNORED = 255


def measure(pairs, classes):
    metric = METRICS.build({"type": "simmim_bench.IoUMetric", "iou_metrics": ["mIoU"]})
    metric.dataset_meta = {"classes": [f"class {i}" for i in range(classes)]}
    for predicted, label in pairs:
        sample = {
            "pred_sem_seg": {"data": torch.tensor(predicted[None])},
            "gt_sem_seg": {"data": torch.tensor(label[None])},
        }
        metric.process({}, [sample])
    return metric.evaluate(size=len(pairs))


def reference(pairs, classes):
    """Percent of IoU and accuracy by class, from the confusion matrix."""
    confusion = np.zeros((classes, classes), np.int64)
    for predicted, label in pairs:
        valid = label != IGNORED
        np.add.at(confusion, (label[valid], predicted[valid]), 1)
    hits, true, guessed = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore"):
        iou, accuracy = hits / (true + guessed - hits), hits / true
    return {
        "mIoU": 100 * np.nanmean(iou),
        "mAcc": 100 * np.nanmean(accuracy),
        "aAcc": 100 * hits.sum() / true.sum(),
    }


@pytest.mark.parametrize("classes", [2, 7])
def test_equals_the_confusion_matrix_to_the_last_digit(classes):
    generator = np.random.default_rng(classes)
    pairs = []
    for height in (13, 20, 31):
        label = generator.integers(0, classes, (height, 17))
        predicted = np.where(generator.random(label.shape) < 0.6, label, 0)
        label[generator.random(label.shape) < 0.2] = IGNORED
        pairs.append((predicted, label))
    figures = measure(pairs, classes)
    assert figures == pytest.approx(reference(pairs, classes), rel=1e-12)
    assert figures["mIoU"] != round(figures["mIoU"], 2)


def test_a_class_that_is_nowhere_does_not_count_and_a_wrong_guess_does():
    label = np.array([[0, 0, 1, 1]])
    assert measure([(label, label)], 4)["mIoU"] == 100
    guessed = np.array([[0, 0, 1, 2]])
    assert measure([(guessed, label)], 4)["mIoU"] == pytest.approx(100 * (1 + 0.5 + 0) / 3)


def test_ignored_pixels_count_nowhere():
    label = np.array([[0, 1, IGNORED, IGNORED]])
    assert measure([(np.array([[0, 1, 0, 1]]), label)], 2) == {
        "aAcc": 100.0,
        "mIoU": 100.0,
        "mAcc": 100.0,
    }


def test_counts_beyond_float32_are_exact():
    """2 ** 24 + 1 pixels in several images: float32 sums would lose the odd one."""
    metric = METRICS.build({"type": "simmim_bench.IoUMetric", "iou_metrics": ["mIoU"]})
    metric.dataset_meta = {"classes": ["a", "b"]}
    whole, one = torch.tensor([2.0**24, 1.0]), torch.tensor([1.0, 0.0])
    zero = torch.zeros(2)
    metric.results = [(whole, whole, whole, whole), (zero, one, one, one)]
    figures = metric.evaluate(size=2)
    assert figures["mIoU"] == pytest.approx(100 * (2**24 / (2**24 + 1) + 1) / 2, rel=1e-15)
    assert figures["mIoU"] < 100


def test_a_label_that_is_no_class_is_refused():
    label = np.array([[0, 1], [7, IGNORED]])
    with pytest.raises(BenchError, match="has label 7, but there are 2 classes"):
        measure([(np.zeros((2, 2), np.int64), label)], 2)
