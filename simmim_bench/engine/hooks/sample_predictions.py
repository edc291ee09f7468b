"""A few images of the evaluation with what the model says about them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook

from simmim_bench.engine.hooks.class_report import FIELDS
from simmim_bench.registry import HOOKS

SIDE = 256  # pixels of the shorter side of a classified image, as drawn


@HOOKS.register_module()
class SamplePredictionsHook(Hook):
    """Draw some images with truth and prediction into ``predictions/`` of the work dir.

    They are spread over the images that the first process sees, the same in every evaluation; the
    last evaluation's stay. Each is drawn by its library's visualizer. A model that gives no such
    predictions (k-NN, retrieval) has none.

    Args:
        task: Of the protocol.
        images: How many.
    """

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
        """Keep those of this batch."""
        self._keep(outputs)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep those of this batch."""
        self._keep(outputs)

    def after_train(self, runner: Any) -> None:
        """Draw what the last validation kept."""
        if runner.val_dataloader is not None:
            self._draw(runner, runner.val_dataloader)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Draw."""
        self._draw(runner, runner.test_dataloader)

    def _choose(self, loader: Any) -> None:
        ours = len(loader.dataset) // get_world_size()
        count = min(self.images, max(ours, 1))
        self.chosen = set(np.linspace(0, max(ours - 1, 0), count).round().astype(int).tolist())
        self.kept, self.seen = [], 0

    def _keep(self, outputs: Sequence[Any] | None) -> None:
        if self.task not in DRAW:
            return
        for sample in outputs or []:
            if self.seen in self.chosen and all(name in sample for name in FIELDS[self.task]):
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
            image = mmcv.imread(str(path), channel_order="rgb")
            draw(image, sample, str(folder / f"{number}_{path.stem}.png"))


Draw = Callable[[Any, Any, str], None]


def _classified(meta: dict[str, Any]) -> Draw:
    from mmpretrain.visualization import UniversalVisualizer

    visualizer = UniversalVisualizer()
    return lambda image, sample, path: visualizer.visualize_cls(
        image, sample, classes=meta["classes"], resize=SIDE, out_file=path
    )


def _detected(meta: dict[str, Any]) -> Draw:
    from mmdet.visualization import DetLocalVisualizer

    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = meta
    return lambda image, sample, path: visualizer.add_datasample(
        "", image, sample, out_file=path, pred_score_thr=0.3
    )


def _segmented(meta: dict[str, Any]) -> Draw:
    from mmseg.visualization import SegLocalVisualizer

    visualizer = SegLocalVisualizer(alpha=0.6)
    visualizer.dataset_meta = meta
    return lambda image, sample, path: visualizer.add_datasample(
        "", image, sample, out_file=path, with_labels=False
    )


DRAW = {"classification": _classified, "detection": _detected, "segmentation": _segmented}
