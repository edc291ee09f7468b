"""Metrics with full precision."""

from simmim_bench.evaluation.answers import AnswerAccuracy
from simmim_bench.evaluation.coco import CocoMetric
from simmim_bench.evaluation.iou import IoUMetric
from simmim_bench.evaluation.knn import KNNAccuracy
from simmim_bench.evaluation.retrieval import RetrievalRecall

__all__ = ["AnswerAccuracy", "CocoMetric", "IoUMetric", "KNNAccuracy", "RetrievalRecall"]
