"""What an evaluation leaves in the work dir besides its metrics.

``classes/``: results by class, a confusion matrix and the worst images. ``predictions/``: some
images with the truth and the prediction. A model without such predictions (k-NN, retrieval) leaves
neither.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook

from simmim_bench.data.shown_bands import KEY
from simmim_bench.data.transforms import load_picture
from simmim_bench.registry import HOOKS
from simmim_bench.tasks.class_report import CONFIDENT, REPORTS, WORST, ClassReport, write_report
from simmim_bench.tasks.pictures import (
    draw_label_map,
    draw_names,
    draw_objects,
    objects_of,
    save_picture,
    side_by_side,
    top_classes,
)

SHOWN = 3  # classes of an image
TITLES = ("truth", "prediction")


@HOOKS.register_module()
class ClassReportHook(Hook):
    """Write ``classes/`` after each evaluation: CSV files and pictures.

    Args:
        task: Task of the protocol.
    """

    def __init__(self, *, task: str) -> None:
        self.task = task
        self.report: ClassReport | None = None
        self.seen = 0

    def before_val_epoch(self, runner: Any) -> None:
        """Start a report."""
        self._start(runner.val_dataloader)

    def before_test_epoch(self, runner: Any) -> None:
        """Start a report."""
        self._start(runner.test_dataloader)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add a batch."""
        self._add(runner.val_dataloader, outputs)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Add a batch."""
        self._add(runner.test_dataloader, outputs)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write the report."""
        self._write(runner.val_loop.evaluator, Path(runner.work_dir))

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Write the report."""
        self._write(runner.test_loop.evaluator, Path(runner.work_dir))

    def _start(self, loader: Any) -> None:
        classes = (getattr(loader.dataset, "metainfo", None) or {}).get("classes")
        self.report = REPORTS[self.task](classes) if classes and self.task in REPORTS else None
        self.seen = 0

    def _add(self, loader: Any, outputs: Sequence[Any] | None) -> None:
        for sample in outputs or []:
            if self.report is None or any(name not in sample for name in self.report.fields):
                self.report = None
                return
            # the sampler fills the last round with images from the start
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


@HOOKS.register_module()
class SamplePredictionsHook(Hook):
    """Write ``predictions/`` after the last validation, or after a test.

    The images are spread evenly over those of the first process, and are the same in every
    evaluation.

    Args:
        task: Task of the protocol.
        images: Number of images.
    """

    priority = "LOWEST"  # after a validation that a resumed run makes up for, ``ManifestHook``

    def __init__(self, *, task: str, images: int = 8) -> None:
        self.task = task
        self.images = images
        self.kept: list[Any] = []

    def before_val_epoch(self, runner: Any) -> None:
        """Choose the images."""
        self._choose(runner.val_dataloader)

    def before_test_epoch(self, runner: Any) -> None:
        """Choose the images."""
        self._choose(runner.test_dataloader)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the chosen images of a batch."""
        self._keep(outputs)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the chosen images of a batch."""
        self._keep(outputs)

    def after_train(self, runner: Any) -> None:
        """Draw the images of the last validation."""
        if runner.val_dataloader is not None:
            self._draw(runner, runner.val_dataloader)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Draw the images."""
        self._draw(runner, runner.test_dataloader)

    def _choose(self, loader: Any) -> None:
        here = len(loader.dataset) // get_world_size()
        count = min(self.images, max(here, 1))
        self.chosen = set(np.linspace(0, max(here - 1, 0), count).round().astype(int).tolist())
        self.kept, self.seen = [], 0

    def _keep(self, outputs: Sequence[Any] | None) -> None:
        if self.task not in DRAW:
            return
        fields = REPORTS[self.task].fields
        for sample in outputs or []:
            if self.seen in self.chosen and all(name in sample for name in fields):
                self.kept.append(sample.cpu())
            self.seen += 1

    def _draw(self, runner: Any, loader: Any) -> None:
        if not is_main_process() or not self.kept:
            return
        folder = Path(runner.work_dir) / "predictions"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        draw = DRAW[self.task](loader.dataset.metainfo)
        for number, sample in enumerate(self.kept):
            path = Path(sample.img_path)
            image = load_picture(sample.img_path, runner.cfg.get(KEY))
            draw(image, sample, str(folder / f"{number}_{path.stem}.png"))


Draw: TypeAlias = Callable[[Any, Any, str], None]


def _draw_classification(meta: dict[str, Any]) -> Draw:
    def draw(image: Any, sample: Any, path: str) -> None:
        classes = meta["classes"]
        first = [f"{n} {p:.2f}" for n, p in top_classes(sample.pred_score, classes, SHOWN)]
        save_picture(draw_names(image, [f"is {classes[int(sample.gt_label[0])]}", *first]), path)

    return draw


def _draw_detection(meta: dict[str, Any]) -> Draw:
    def draw(image: Any, sample: Any, path: str) -> None:
        both = objects_of(sample.gt_instances), objects_of(sample.pred_instances, CONFIDENT)
        drawn = [draw_objects(image, objects, meta["classes"]) for objects in both]
        save_picture(side_by_side(drawn, TITLES), path)

    return draw


def _draw_segmentation(meta: dict[str, Any]) -> Draw:
    def draw(image: Any, sample: Any, path: str) -> None:
        maps = (part.data[0].cpu().numpy() for part in (sample.gt_sem_seg, sample.pred_sem_seg))
        drawn = [draw_label_map(image, labels, meta["classes"]) for labels in maps]
        save_picture(side_by_side(drawn, TITLES), path)

    return draw


DRAW = {
    "classification": _draw_classification,
    "detection": _draw_detection,
    "segmentation": _draw_segmentation,
}
