"""Datasets that configs name; building and checking data is in ``simmim_bench.data``."""

from simmim_bench.datasets.captions import CaptionsDataset
from simmim_bench.datasets.coco_layout import CocoLayoutDataset
from simmim_bench.datasets.endless_sampler import EndlessSampler
from simmim_bench.datasets.few_shot import FewShotDataset
from simmim_bench.datasets.questions import QuestionsDataset
from simmim_bench.datasets.seg_layout import SegLayoutDataset
from simmim_bench.datasets.unlabelled_lmdb import UnlabelledLMDB
from simmim_bench.datasets.unlabelled_shards import UnlabelledShards

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
