"""Stop at the first loss, or weight to be saved, that is not a finite number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce_dict, get_rank, get_world_size
from mmengine.hooks import Hook
from torch import Tensor

from simmim_bench.data.transforms import seed_all
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


# Random numbers that depend on how far a run is, so that a resumed run repeats a whole one.


@HOOKS.register_module()
class SeedHook(Hook):
    """Seed what the model draws by (seed, iteration, rank), and what a sample draws by epoch.

    Transforms that have ``set_epoch`` (``SeedSample``, mask generation) are told the epoch, also
    in persistent data workers. So a resumed run repeats a whole one with any number of workers.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Any) -> None:
        """Tell the pipelines the epoch that begins; a loop over iterations has one epoch, 0."""
        for transform in transforms_of(runner.train_dataloader.dataset):
            if hasattr(transform, "set_epoch"):
                transform.set_epoch(runner.epoch)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the model's draws (drop path, dropout, sampling of regions, mixing of images)."""
        seed_all([runner.seed or 0, runner.iter, get_rank()])


def transforms_of(dataset: Any) -> Iterator[Any]:
    """Transforms of a dataset and of those that it wraps."""
    yield from getattr(getattr(dataset, "pipeline", None), "transforms", [])
    wrapped = [dataset.dataset] if hasattr(dataset, "dataset") else getattr(dataset, "datasets", [])
    for inner in wrapped:
        yield from transforms_of(inner)


# Log the loss of the whole batch, not of the first process's share.


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Replace what a step logs by its mean over all processes; nothing to do for one.

    mmengine logs the first process's values. With the mean, the curve of a run does not depend on
    the number of processes, and all processes see a loss that is not finite in the same step.
    """

    priority = "HIGHEST"  # before the values are taken into the log

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Average ``outputs`` in place."""
        if get_world_size() == 1 or not outputs:
            return
        means = {
            name: value.detach().clone().float()
            for name, value in outputs.items()
            if isinstance(value, Tensor)
        }
        all_reduce_dict(means, op="mean")
        outputs.update(means)
