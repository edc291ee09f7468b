"""Datasets that configs name; building and checking data is in ``simmim_bench.data``."""

from simmim_bench.datasets.coco_layout import CocoLayoutDataset
from simmim_bench.datasets.few_shot import FewShotDataset
from simmim_bench.datasets.seg_layout import SegLayoutDataset

__all__ = ["CocoLayoutDataset", "FewShotDataset", "SegLayoutDataset"]
