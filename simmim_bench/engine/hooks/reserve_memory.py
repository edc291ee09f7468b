"""Give a k-NN classifier a row for every image."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class ReserveMemoryHook(Hook):
    """Call ``model.reserve`` with the number of training images, unless a checkpoint did."""

    def before_train(self, runner: Any) -> None:
        """Reserve."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        images = len(runner.train_dataloader.dataset)
        if len(model.labels) != images:
            model.reserve(images)
