"""Stop at the first loss that is not a finite number."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raise when the loss is NaN or infinite, before a checkpoint of it can be written.

    Args:
        interval: Check every this many iterations, and at the end of each epoch; each check
            waits for the device.
    """

    priority = "VERY_HIGH"

    def __init__(self, *, interval: int = 10) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the summed loss of this iteration.

        Raises:
            BenchError: With the iteration and the learning rate.
        """
        if not (
            self.every_n_train_iters(runner, self.interval)
            or self.is_last_train_iter(runner)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
        ):
            return
        loss = outputs["loss"].detach()
        if not torch.isfinite(loss):
            rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
            raise BenchError(
                f"the loss is {float(loss)} at iteration {runner.iter + 1} (learning rate "
                f"{rate:.3g}); the last checkpoint in {runner.work_dir} is from before it; lower "
                "the learning rate or check the images"
            )
