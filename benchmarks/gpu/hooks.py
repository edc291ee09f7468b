"""Hooks of the sections: fill the memory before a validation, profile a few iterations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook

from simmim_bench.io import atomic_write_text
from simmim_bench.registry import HOOKS

LEFT = 16 * 2**20
"""Free bytes of a filled GPU, fewer than the images of a validation need."""


@HOOKS.register_module()
class FillMemoryHook(Hook):
    """Take nearly all memory of the GPU when a validation starts."""

    def before_val_epoch(self, runner: Any) -> None:  # noqa: ARG002
        """Allocate what is free."""
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info()
        self.kept = torch.empty(max(0, free - LEFT), dtype=torch.uint8, device="cuda")


@HOOKS.register_module()
class ProfileHook(Hook):
    """Profile iterations and end the run.

    Args:
        out: File for ``counts``, as JSON.
        first: Index of the first iteration that is profiled.
        steps: How many are.
    """

    priority = "VERY_HIGH"  # what other hooks do belongs to the iteration before

    def __init__(self, *, out: str, first: int, steps: int) -> None:
        self.out, self.first, self.steps = Path(out), first, steps

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Start before the first iteration; after the last, write the counts and exit.

        Raises:
            SystemExit: With code 0, when the counts are written.
        """
        if runner.iter == self.first:
            self.profile = torch.profiler.profile()
            self.profile.start()
        elif runner.iter == self.first + self.steps:
            self.profile.stop()
            atomic_write_text(self.out, json.dumps(counts(self.profile, self.steps)))
            raise SystemExit(0)


def counts(profile: Any, steps: int) -> dict[str, float]:
    """Calls of an iteration that wait for the GPU, copies from and to it, and ``item``.

    Whole calls of an iteration: the profiler itself synchronises once at its end.
    """
    found = {"synchronisations": 0, "copies": 0, "items": 0}
    for event in profile.events():
        name = event.name
        found["synchronisations"] += name.startswith("cuda") and name.endswith("Synchronize")
        found["copies"] += name.startswith(("Memcpy HtoD", "Memcpy DtoH"))
        found["items"] += name == "aten::_local_scalar_dense"
    return {key: float(count // steps) for key, count in found.items()}
