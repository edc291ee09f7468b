"""Metrics with full precision."""

from simmim_bench.evaluation.coco import CocoMetric
from simmim_bench.evaluation.iou import IoUMetric

__all__ = ["CocoMetric", "IoUMetric"]
