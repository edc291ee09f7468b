"""Datasets that configs name; building and checking data is in ``simmim_bench.data``."""

from simmim_bench.data.lmdb import UnlabelledLMDB
from simmim_bench.data.sampler import EndlessSampler
from simmim_bench.data.shards import UnlabelledShards
from simmim_bench.datasets.captions import CaptionsDataset
from simmim_bench.datasets.coco_layout import CocoLayoutDataset
from simmim_bench.datasets.few_shot import FewShotDataset
from simmim_bench.datasets.questions import QuestionsDataset
from simmim_bench.datasets.seg_layout import SegLayoutDataset

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
