"""Look at a pretraining while it runs: reconstructions and the loss curve as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.registry import HOOKS
from simmim_bench.visualization.curves import plot_curve
from simmim_bench.visualization.reconstruction import reconstruction_grid, save_png


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """After an epoch, write what the model paints for the last batch of it.

    Args:
        epochs: Every this many epochs, and after the last one.
        images: Rows of the picture.
        scale: How many times to enlarge it.
    """

    priority = "LOW"

    def __init__(self, *, epochs: int = 1, images: int = 8, scale: int = 1) -> None:
        self.epochs = epochs
        self.images = images
        self.scale = scale
        self.batch: Any = None

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Keep the newest batch."""
        self.batch = data_batch

    @master_only
    def after_train_epoch(self, runner: Any) -> None:
        """Write ``reconstructions/epoch_<n>.png``."""
        epoch = runner.epoch + 1
        if epoch % self.epochs and epoch != runner.max_epochs:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        was_training = model.training
        model.eval()
        with torch.no_grad():
            data = model.data_preprocessor(self.batch, False)
            shown = model(data["inputs"], data["data_samples"], mode="predict")
        model.train(was_training)
        grid = reconstruction_grid(
            shown["images"][: self.images],
            shown["reconstruction"][: self.images],
            shown["mask"][: self.images],
            mean=model.data_preprocessor.mean.flatten(),
            std=model.data_preprocessor.std.flatten(),
        )
        path = Path(runner.work_dir) / "reconstructions" / f"epoch_{epoch}.png"
        save_png(grid, path, scale=self.scale)

    @master_only
    def after_train(self, runner: Any) -> None:
        """Write ``loss.png``."""
        folder = Path(runner.work_dir)
        plot_curve({"loss": folder}, "loss", folder / "loss.png", ylabel="masked L1 loss")
