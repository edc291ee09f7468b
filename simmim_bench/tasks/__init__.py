"""Metrics with full precision."""

from __future__ import annotations

from simmim_bench.data.lmdb import UnlabelledLMDB
from simmim_bench.data.sampler import EndlessSampler
from simmim_bench.data.shards import UnlabelledShards
from simmim_bench.tasks.captions import CaptionsDataset
from simmim_bench.tasks.detection import CocoLayoutDataset, CocoMetric, SimpleFeaturePyramid
from simmim_bench.tasks.few_shot import FewShotDataset
from simmim_bench.tasks.knn import KNNAccuracy, KNNClassifier
from simmim_bench.tasks.linear_probe import LinearProbe, LinearProbeHead
from simmim_bench.tasks.questions import QuestionsDataset
from simmim_bench.tasks.retrieval import ImageTextAligner, RetrievalRecall
from simmim_bench.tasks.segmentation import IoUMetric, SegLayoutDataset
from simmim_bench.tasks.text_encoder import ByteTextEncoder
from simmim_bench.tasks.vqa import (
    AnswerAccuracy,
    ConcatenationFusion,
    CrossAttentionFusion,
    QuestionAnswerer,
)
from simmim_bench.training.optim import LayerDecayOptimWrapperConstructor

__all__ = [
    "CaptionsDataset",
    "CocoLayoutDataset",
    "EndlessSampler",
    "FewShotDataset",
    "QuestionsDataset",
    "SegLayoutDataset",
    "UnlabelledLMDB",
    "UnlabelledShards",
]


__all__ = ["AnswerAccuracy", "CocoMetric", "IoUMetric", "KNNAccuracy", "RetrievalRecall"]


__all__ = [
    "ByteTextEncoder",
    "ConcatenationFusion",
    "CrossAttentionFusion",
    "ImageTextAligner",
    "QuestionAnswerer",
]


__all__ = [
    "KNNClassifier",
    "LayerDecayOptimWrapperConstructor",
    "LinearProbe",
    "LinearProbeHead",
    "SimpleFeaturePyramid",
]
