"""Metrics with full precision."""

from simmim_bench.evaluation.coco import CocoMetric
from simmim_bench.evaluation.iou import IoUMetric
from simmim_bench.evaluation.knn import KNNAccuracy

__all__ = ["CocoMetric", "IoUMetric", "KNNAccuracy"]
