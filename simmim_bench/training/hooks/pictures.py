"""Look at a pretraining while it runs: reconstructions, their PSNR and SSIM, the loss curve."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import get_world_size, is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import Painted, evaluation_pipeline, paint, save_png
from simmim_bench.records.curves import plot_curve
from simmim_bench.registry import HOOKS
from simmim_bench.training.adapt import has_tracker
from simmim_bench.training.hooks.class_report import FIELDS
from simmim_bench.training.hooks.scale import is_sharded, unsharded


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """After an epoch, write what the model paints on the same images under the same masks.

    The images are spread over the training set and are not augmented, so that no random number
    of the training is drawn. PSNR and SSIM of their masked part are logged; the picture goes to
    trackers (TensorBoard, WandB) too.

    Args:
        epochs: Every this many epochs, and after the last one.
        images: Rows of the picture.
        scale: How many times to enlarge it.

    Raises:
        BenchError: If ``epochs`` is below 1.
    """

    priority = "LOW"

    def __init__(self, *, epochs: int = 1, images: int = 8, scale: int = 1) -> None:
        if epochs < 1:
            raise BenchError(f"--paint-every {epochs} is no number of epochs; give 1 or more")
        self.epochs = epochs
        self.images = images
        self.scale = scale

    def before_train(self, runner: Any) -> None:
        """Choose the images."""
        dataset = runner.train_dataloader.dataset
        count = min(self.images, len(dataset))
        chosen = np.linspace(0, len(dataset) - 1, count).round().astype(int)
        self.paths = [dataset.get_data_info(int(index))["img_path"] for index in chosen]
        self.pipeline = evaluation_pipeline(runner.cfg, seed=0)

    def after_train_epoch(self, runner: Any) -> None:
        """Write ``reconstructions/epoch_<n>.png`` and log PSNR and SSIM."""
        epoch = runner.epoch + 1
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not model.target.paints or (epoch % self.epochs and epoch != runner.max_epochs):
            return
        if is_sharded(model):  # every process takes part in gathering it
            with unsharded(model):
                painted = paint(model, self.pipeline, self.paths)
        elif is_main_process():
            painted = paint(model, self.pipeline, self.paths)
        if is_main_process():
            self._show(runner, painted, epoch)

    def _show(self, runner: Any, painted: Painted, epoch: int) -> None:
        grid = painted.grid()
        path = Path(runner.work_dir) / "reconstructions" / f"epoch_{epoch}.png"
        save_png(grid, path, scale=self.scale)
        figures = {"psnr": float(painted.psnr().mean()), "ssim": float(painted.ssim().mean())}
        runner.visualizer.add_scalars(
            {f"reconstruction/{name}": value for name, value in figures.items()}, step=epoch
        )
        if has_tracker(runner.cfg):  # else the picture would lie in the work dir twice
            runner.visualizer.add_image("reconstruction", grid, step=epoch)
        runner.logger.info(
            f"reconstruction of {len(self.paths)} images, masked part: PSNR {figures['psnr']:.2f} "
            f"dB, SSIM {figures['ssim']:.3f}; {path}"
        )

    @master_only
    def after_train(self, runner: Any) -> None:
        """Write ``loss.png``."""
        folder = Path(runner.work_dir)
        plot_curve({"loss": folder}, "loss", folder / "loss.png", ylabel="loss")


# A few images of the evaluation with what the model says about them.


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
