"""Mean intersection over union with full precision."""

from __future__ import annotations

from typing import Any

import mmseg.evaluation
import numpy as np
import torch
from mmengine.logging import MMLogger
from prettytable import PrettyTable

from simmim_bench.datasets.labels import check_labels
from simmim_bench.registry import METRICS


@METRICS.register_module()
class IoUMetric(mmseg.evaluation.IoUMetric):
    """mmseg's metric without its rounding to two digits, and with exact sums.

    mmseg adds pixel counts in float32, which cannot hold more than 2 ** 24 exactly; here they
    are added in float64. Classes that are neither predicted nor present do not count.
    """

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count the pixels of a batch.

        Raises:
            BenchError: If a label map holds a label that is no class and not the ignored one;
                such pixels would count as neither right nor wrong.
        """
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            if self.format_only or "gt_sem_seg" not in sample:
                continue
            check_labels(
                sample["gt_sem_seg"]["data"],
                image=sample.get("img_path", "an image"),
                classes=classes,
                ignored=self.ignore_index,
                reduced=bool(self.dataset_meta.get("reduce_zero_label")),
            )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Sum the counts of all images.

        Args:
            results: For each image: intersection, union, predicted and true pixels by class.

        Returns:
            Percent: ``aAcc`` and, for ``iou_metrics=['mIoU']``, ``mIoU`` and ``mAcc``.
        """
        if self.format_only:
            return {}
        totals = [torch.stack(column).double().sum(dim=0) for column in zip(*results, strict=True)]
        ratios = self.total_area_to_metrics(*totals, self.metrics, self.nan_to_num, self.beta)
        percents = {name: 100 * ratio for name, ratio in ratios.items()}
        self._log(percents)
        return {
            name if name == "aAcc" else f"m{name}": float(np.nanmean(value))
            for name, value in percents.items()
        }

    def _log(self, percents: dict[str, Any]) -> None:
        """Per-class table."""
        table = PrettyTable()
        table.add_column("Class", list(self.dataset_meta["classes"]))
        for name, values in percents.items():
            if name != "aAcc":
                table.add_column(name, [f"{value:.2f}" for value in values])
        MMLogger.get_current_instance().info(f"per class results:\n{table}")
