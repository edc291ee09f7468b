"""Write results by class, a confusion matrix and the worst images of each evaluation."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook

from simmim_bench.registry import HOOKS
from simmim_bench.tasks.class_report import REPORTS, WORST, ClassReport, write_report

FIELDS = {
    "classification": ("pred_score", "gt_label"),
    "detection": ("pred_instances", "gt_instances"),
    "segmentation": ("pred_sem_seg", "gt_sem_seg"),
    "vqa": ("pred_score", "gt_label"),
}


@HOOKS.register_module()
class ClassReportHook(Hook):
    """After an evaluation, fill ``classes/`` in the work dir: CSV files and pictures.

    The last evaluation's stays. A model without such predictions (k-NN, retrieval) has no report.

    Args:
        task: Of the protocol.
    """

    def __init__(self, *, task: str) -> None:
        self.task = task
        self.report: ClassReport | None = None
        self.seen = 0

    def before_val_epoch(self, runner: Any) -> None:
        """Start counting."""
        self._start(runner.val_dataloader)

    def before_test_epoch(self, runner: Any) -> None:
        """Start counting."""
        self._start(runner.test_dataloader)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count a batch."""
        self._add(runner.val_dataloader, outputs)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Count a batch."""
        self._add(runner.test_dataloader, outputs)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write."""
        self._write(runner.val_loop.evaluator, Path(runner.work_dir))

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write."""
        self._write(runner.test_loop.evaluator, Path(runner.work_dir))

    def _start(self, loader: Any) -> None:
        classes = (getattr(loader.dataset, "metainfo", None) or {}).get("classes")
        self.report = REPORTS[self.task](classes) if classes and self.task in REPORTS else None
        self.seen = 0

    def _add(self, loader: Any, outputs: Sequence[Any] | None) -> None:
        for sample in outputs or []:
            if self.report is None or any(name not in sample for name in FIELDS[self.task]):
                self.report = None
                return
            # the sampler fills the last round up with images that were seen before
            position = self.seen * get_world_size() + get_rank()
            self.seen += 1
            if position < len(loader.dataset):
                self.report.add(sample.to_dict())

    def _write(self, evaluator: Any, work_dir: Path) -> None:
        if self.report is None:
            return
        confusion = torch.from_numpy(self.report.confusion)
        all_reduce(confusion)
        lists = all_gather_object(self.report.worst)
        if is_main_process():
            self.report.confusion = confusion.numpy()
            for metric in evaluator.metrics:
                self.report.more |= getattr(metric, "by_class", {})
            self.report.worst = heapq.nsmallest(WORST, chain.from_iterable(lists))
            write_report(self.report, work_dir / "classes")
