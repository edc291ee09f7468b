"""What a pretraining shows while it runs: reconstructions, their PSNR and SSIM, the loss curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook

from simmim_bench.errors import BenchError
from simmim_bench.reconstruction import (
    Prediction,
    evaluation_pipeline,
    picture_bands,
    predict,
    save_png,
)
from simmim_bench.records.curves import plot_curve
from simmim_bench.registry import HOOKS
from simmim_bench.training.adapt import has_tracker
from simmim_bench.training.hooks.speed import is_sharded, unsharded
from simmim_bench.training.runner import model_of


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """After an epoch, write what the model predicts for the same images under the same masks.

    The images are spread evenly over the training set. They are not augmented, so that the random
    numbers of the training stay the same. PSNR and SSIM of the masked part are logged; trackers
    (TensorBoard, WandB) get the picture too.

    Args:
        epochs: Write after every ``epochs`` epochs, and after the last.
        images: Number of images, one a row.
        scale: Factor by which the picture is enlarged.

    Raises:
        BenchError: If ``epochs`` is below 1.
    """

    priority = "LOW"

    def __init__(self, *, epochs: int = 1, images: int = 8, scale: int = 1) -> None:
        if epochs < 1:
            raise BenchError(f"--paint-every must be an integer >= 1, got {epochs}")
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
        self.bands = picture_bands(runner.cfg)

    def after_train_epoch(self, runner: Any) -> None:
        """Write ``reconstructions/epoch_<n>.png`` and log PSNR and SSIM."""
        epoch = runner.epoch + 1
        model = model_of(runner)
        if not model.target.predicts_images or (epoch % self.epochs and epoch != runner.max_epochs):
            return
        if is_sharded(model):  # all processes gather it
            with unsharded(model):
                prediction = predict(model, self.pipeline, self.paths)
        elif is_main_process():
            prediction = predict(model, self.pipeline, self.paths)
        if is_main_process():
            self._show(runner, prediction, epoch)

    def _show(self, runner: Any, prediction: Prediction, epoch: int) -> None:
        grid = prediction.grid(self.bands)
        path = Path(runner.work_dir) / "reconstructions" / f"epoch_{epoch}.png"
        save_png(grid, path, scale=self.scale)
        quality = {"psnr": float(prediction.psnr().mean()), "ssim": float(prediction.ssim().mean())}
        runner.visualizer.add_scalars(
            {f"reconstruction/{name}": value for name, value in quality.items()}, step=epoch
        )
        if has_tracker(runner.cfg):  # else the work dir would have the picture twice
            runner.visualizer.add_image("reconstruction", grid, step=epoch)
        runner.logger.info(
            f"reconstruction of {len(self.paths)} images, masked part: PSNR {quality['psnr']:.2f} "
            f"dB, SSIM {quality['ssim']:.3f}; {path}"
        )

    @master_only
    def after_train(self, runner: Any) -> None:
        """Write ``loss.png``."""
        folder = Path(runner.work_dir)
        plot_curve({"loss": folder}, "loss", folder / "loss.png", ylabel="loss")
