"""Log the loss of the whole batch, not of the first process's share."""

from __future__ import annotations

from typing import Any

from mmengine.dist import all_reduce_dict, get_world_size
from mmengine.hooks import Hook
from torch import Tensor

from simmim_bench.registry import HOOKS


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
