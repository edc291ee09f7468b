"""Stop at the first loss, or weight to be saved, that is not a finite number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.training.runner import latest_checkpoint


class DivergedError(BenchError):
    """Loss or weights are no longer finite.

    Args:
        message: The sentence.
        iteration: The first that was seen to be broken, from 1.
    """

    def __init__(self, message: str, iteration: int) -> None:
        super().__init__(message)
        self.iteration = iteration


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raise when the loss or a weight is NaN or infinite, before a checkpoint of it is written.

    Args:
        interval: Check every this many iterations, and at the end of each epoch; each check
            waits for the device.
    """

    priority = "HIGH"  # after a sharded model was put together

    def __init__(self, *, interval: int = 10) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the summed loss of this iteration.

        Raises:
            BenchError: With the first such iteration and the learning rate.
        """
        if not (
            self.every_n_train_iters(runner, self.interval)
            or self.is_last_train_iter(runner)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
        ):
            return
        loss = outputs["loss"].detach()
        if not torch.isfinite(loss):
            raise _diverged(runner, f"the loss is {float(loss)}", _first_broken(runner))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Check the weights: a step with a finite loss may still have broken them.

        Raises:
            BenchError: With the first such key, the iteration and the learning rate.
        """
        for key, value in checkpoint["state_dict"].items():
            if value.is_floating_point() and not value.isfinite().all():
                what = f"the weights hold NaN or infinity (first in {key})"
                raise _diverged(runner, what, runner.iter)


def _first_broken(runner: Any) -> int:
    """The first iteration, from 1, of those that had no finite loss up to now."""
    losses, _ = runner.message_hub.get_scalar("train/loss").data
    finite = np.flatnonzero(np.isfinite(losses))
    broken = len(losses) - (finite[-1] + 1 if len(finite) else 0)
    return int(runner.iter + 2 - broken)


def _diverged(runner: Any, what: str, iteration: int) -> DivergedError:
    rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
    last = latest_checkpoint(Path(runner.work_dir))
    kept = f"{last.name} in {runner.work_dir} is from before it" if last else "nothing was saved"
    return DivergedError(
        f"{what} at iteration {iteration} (learning rate {rate:.3g}); {kept}; lower the learning "
        f"rate or check the images",
        iteration,
    )
