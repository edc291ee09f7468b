"""Accuracy of k-NN votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from simmim_bench.registry import METRICS


@METRICS.register_module()
class KNNAccuracy(BaseMetric):
    """Top-1 accuracy in percent for each number of neighbours: ``knn/top1_k20``.

    Args:
        neighbours: As in the model.
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    def __init__(self, *, neighbours: Sequence[int] = (10, 20, 100, 200), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.neighbours = tuple(neighbours)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Note which votes of a batch are right."""
        for sample in data_samples:
            self.results.append((sample["knn_label"] == sample["gt_label"]).cpu())

    def compute_metrics(self, results: list[torch.Tensor]) -> dict[str, float]:
        """Share of right votes, in percent."""
        right = torch.stack(results).sum(0).tolist()
        return {
            f"knn/top1_k{k}": 100 * count / len(results)
            for k, count in zip(self.neighbours, right, strict=True)
        }
