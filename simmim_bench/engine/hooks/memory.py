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

    Of the GPU if the model is on one, else resident memory; MiB.
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


def largest_memory_mb(device: torch.device) -> float:
    """Largest memory so far, MiB: allocated on a GPU, else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux: KiB


def device_of(model: Any) -> torch.device:
    """Device of a module's parameters."""
    device: torch.device = next(model.parameters()).device
    return device


def _keep(runner: Any) -> None:
    now = largest_memory_mb(device_of(runner.model))
    runner.message_hub.update_info(INFO, max(now, peak_memory_mb(runner)))
