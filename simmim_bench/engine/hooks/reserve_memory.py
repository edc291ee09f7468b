"""Give a k-NN classifier a row for every image, before a checkpoint may be read."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class ReserveMemoryHook(Hook):
    """Call ``model.reserve`` with the number of training images."""

    def before_run(self, runner: Any) -> None:
        """Reserve."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loop = runner.train_loop
        if loop is not None:
            model.reserve(len(loop.dataloader.dataset))
