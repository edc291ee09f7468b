"""What makes a run independent of its processes, and stops it if the loss is not finite.

At every step random numbers are seeded and the logged loss is averaged; before a validation all
processes get the batch-norm statistics of the first one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_reduce, all_reduce_dict, broadcast, get_rank, get_world_size
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.modules.batchnorm import _NormBase

from simmim_bench.data.transforms import seed_all
from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.training.runner import latest_checkpoint, model_of


class DivergedError(BenchError):
    """Loss or weights are no longer finite.

    Args:
        message: For the user.
        iteration: The first that is not finite, from 1.
    """

    def __init__(self, message: str, iteration: int) -> None:
        super().__init__(message)
        self.iteration = iteration


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Raise if the loss or a weight is NaN or infinite, before it is written to a checkpoint.

    Args:
        interval: Check the loss every ``interval`` iterations and at the end of each epoch; a
            check waits for the device.
    """

    priority = "HIGH"  # after a sharded model is gathered and the loss is logged

    def __init__(self, *, interval: int = 10) -> None:
        self.interval = interval

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Check the total loss.

        Raises:
            DivergedError: If it is not finite.
        """
        if not (
            self.every_n_train_iters(runner, self.interval)
            or self.is_last_train_iter(runner)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
        ):
            return
        # The history waits for the device once, for all that was logged since.
        loss = float(runner.message_hub.get_scalar("train/loss").current())
        if not math.isfinite(loss):
            raise _diverged(runner, f"the loss is {loss}", _first_broken(runner))

    def check_weights(self, runner: Any) -> None:
        """Check the weights, which may be NaN after a step with a finite loss; in all processes.

        Raises:
            DivergedError: In each of them, if one is not finite.
        """
        broken = next(_not_finite(model_of(runner)), None)
        found = torch.tensor(float(broken is not None))
        all_reduce(found, op="max")
        if found:
            where = f"first in {broken}" if broken else "in another process"
            what = f"the weights contain NaN or infinity ({where})"
            raise _diverged(runner, what, runner.iter)


def _not_finite(model: nn.Module) -> Iterator[str]:
    """Names of the values, of this process, that are not finite."""
    for key, value in model.state_dict().items():
        local = value.to_local() if isinstance(value, DTensor) else value
        if not local.is_floating_point() or not local.numel():
            continue
        if not torch.stack(local.aminmax()).isfinite().all():  # NaN is passed on
            yield key


def _first_broken(runner: Any) -> int:
    """The first iteration, from 1, after the last finite loss."""
    losses, _ = runner.message_hub.get_scalar("train/loss").data
    finite = np.flatnonzero(np.isfinite(losses))
    broken = len(losses) - (finite[-1] + 1 if len(finite) else 0)
    return int(runner.iter + 2 - broken)


def _diverged(runner: Any, what: str, iteration: int) -> DivergedError:
    rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
    last = latest_checkpoint(Path(runner.work_dir))
    kept = f"the last good checkpoint is {last}" if last else "no checkpoint was saved before"
    return DivergedError(
        f"{what} at iteration {iteration} (learning rate {rate:.3g}); {kept}; lower the learning "
        f"rate, or check the images",
        iteration,
    )


@HOOKS.register_module()
class SeedHook(Hook):
    """Make the random numbers of a run independent of interruptions and of data workers.

    The model is seeded by (seed, iteration, rank). Transforms with ``set_epoch`` (``SeedSample``,
    mask generation) get the epoch, also in persistent data workers.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Any) -> None:
        """Set the epoch of the transforms; a loop over iterations has one epoch, 0."""
        begin = getattr(model_of(runner), "begin_epoch", None)
        if begin and not getattr(runner.train_loop, "skipped", 0):  # not resumed inside the epoch
            begin()
        for transform in transforms_of(runner.train_dataloader.dataset):
            if hasattr(transform, "set_epoch"):
                transform.set_epoch(runner.epoch)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the random numbers of the model (drop path, dropout, sampled regions, mixup)."""
        seed_all([runner.seed or 0, runner.iter, get_rank()])


@HOOKS.register_module()
class SameStatisticsHook(Hook):
    """Before a validation, give the running statistics of the first process to all.

    The statistics of a batch norm differ between processes, because each sees other images.
    Checkpoints are those of the first process; so the metrics are those of the checkpoint.
    PyTorch's DDP does the same before every step (``broadcast_buffers``); training does not
    depend on it.
    """

    priority = "LOWEST"  # after EMA has put its model into place

    def before_val_epoch(self, runner: Any) -> None:
        """Broadcast them."""
        for module in runner.model.modules():
            if isinstance(module, _NormBase):
                for statistics in module.buffers(recurse=False):
                    broadcast(statistics)


def transforms_of(dataset: Any) -> Iterator[Any]:
    """Transforms of a dataset and of the datasets that it wraps."""
    yield from getattr(getattr(dataset, "pipeline", None), "transforms", [])
    wrapped = [dataset.dataset] if hasattr(dataset, "dataset") else getattr(dataset, "datasets", [])
    for inner in wrapped:
        yield from transforms_of(inner)


@HOOKS.register_module()
class MeanLossHook(Hook):
    """Replace the values that a step logs by their mean over all processes.

    mmengine logs the values of the first process. With the mean, the loss curve does not depend on
    the number of processes, and all processes see a loss that is not finite at the same step.
    """

    priority = "HIGHEST"  # before the values are logged

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
