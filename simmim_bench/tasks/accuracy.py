"""Accuracy of classification where there may be fewer classes than answers that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmpretrain.evaluation
from torch import Tensor

from simmim_bench.registry import METRICS


@METRICS.register_module()
class Accuracy(mmpretrain.evaluation.Accuracy):
    """``mmpretrain.Accuracy``; of k classes or fewer, the right one is always among the first k.

    mmpretrain's raises after the first epoch.
    """

    @staticmethod
    def calculate(
        pred: Tensor,
        target: Tensor,
        topk: Sequence[int] = (1,),
        thrs: Sequence[float | None] = (0.0,),
    ) -> Any:
        """Accuracy for each k and threshold, in percent.

        Args:
            pred: Scores, (N, classes), or labels, (N,).
            target: Labels, (N,).
            topk: Numbers of answers that count.
            thrs: Smallest scores that count.
        """
        if pred.ndim == 2:
            topk = [min(k, pred.size(1)) for k in topk]
        return mmpretrain.evaluation.Accuracy.calculate(pred, target, topk, thrs)
