"""What a pretraining says about its own features while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.training.probing import measure, read_labelled
from simmim_bench.training.runner import model_of

COLLAPSED = 2.0
"""Effective rank below which features of different images are nearly the same."""


@HOOKS.register_module()
class ProbeHook(Hook):
    """Before the first epoch and after every ``epochs``, measure the features of the backbone.

    ``training/probing.py`` says how. The values are logged as ``probe/knn``, ``probe/linear``,
    ``probe/rankme`` and ``probe/lidar``; the training's random numbers stay the same.

    Args:
        epochs: Measure after so many epochs, and after the last.
        data: Folder with ``train/CLASS`` and ``val/CLASS``.

    Raises:
        BenchError: If the loop counts iterations, or as ``probing.read_labelled``.
    """

    priority = "LOWEST"  # after the checkpoint, which refuses weights that are not finite

    def __init__(self, *, epochs: int, data: str) -> None:
        self.epochs = epochs
        self.data = Path(data)
        self.seconds = 0.0
        self.warned = False

    def before_train(self, runner: Any) -> None:
        """Read the images; measure the weights that training starts from."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise BenchError("--probe-every counts epochs, and this config counts iterations")
        self.begin = time.monotonic()
        if is_main_process():
            self.images = read_labelled(self.data, runner.cfg)
            if runner.iter == 0:
                self._probe(runner, 0)

    def after_train_epoch(self, runner: Any) -> None:
        """Measure after every ``epochs`` epochs, and after the last."""
        epoch = runner.epoch + 1
        if is_main_process() and (epoch % self.epochs == 0 or epoch == runner.max_epochs):
            self._probe(runner, epoch)

    def _probe(self, runner: Any, epoch: int) -> None:
        begin = time.monotonic()
        found = measure(model_of(runner), self.images)
        runner.visualizer.add_scalars(
            {f"probe/{name}": value for name, value in found.items()}, step=epoch
        )
        self.seconds += time.monotonic() - begin
        share = 100 * self.seconds / max(time.monotonic() - self.begin, 1e-9)
        took = f", {share:.1f} % of the time so far" if epoch else ""
        runner.logger.info(
            f"probe after epoch {epoch}: k-NN top-1 {found['knn']:.1f} %, linear top-1 "
            f"{found['linear']:.1f} % (chance {100 / self.images.classes:.0f} %), effective rank "
            f"{found['rankme']:.1f} (RankMe), {found['lidar']:.1f} (LiDAR){took}"
        )
        if found["rankme"] < COLLAPSED and epoch and not self.warned:
            self.warned = True
            runner.logger.warning(
                f"the features of {len(self.images.train)} images have effective rank "
                f"{found['rankme']:.2f}: they are nearly the same, the pretraining has collapsed; "
                f"stop it and lower the learning rate, or check masks and normalisation"
            )
