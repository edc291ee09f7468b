"""Keep the peak memory of a run, which mmengine's logger resets at every line."""

from __future__ import annotations

import resource
from typing import Any

import torch
from mmengine.hooks import Hook

from simmim_bench.registry import HOOKS

INFO = "peak_memory_mb"


@HOOKS.register_module()
class PeakMemoryHook(Hook):
    """Hold the largest memory of this process in the message hub, also over a resume.

    Of the GPU if there is one, else resident memory; MiB.
    """

    priority = "ABOVE_NORMAL"  # before the logger

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at it."""
        _keep(runner)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at it."""
        _keep(runner)


def peak_memory_mb(runner: Any) -> float:
    """Largest memory that the hook has seen in this run, MiB."""
    return float(runner.message_hub.get_info(INFO, default=0.0))


def _keep(runner: Any) -> None:
    if torch.cuda.is_available():
        now = torch.cuda.max_memory_allocated() / 2**20
    else:
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    runner.message_hub.update_info(INFO, max(now, peak_memory_mb(runner)))
