"""Look at a pretraining while it runs: reconstructions, their PSNR and SSIM, the loss curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.engine.hooks.fully_shard import is_sharded, unsharded
from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import Painted, evaluation_pipeline, paint, save_png
from simmim_bench.records.scalars import plot_curve
from simmim_bench.registry import HOOKS
from simmim_bench.training.adapt import has_tracker


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
