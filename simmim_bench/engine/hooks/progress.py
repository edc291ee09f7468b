"""Tell other processes how far a run is: ``progress.json`` in the work dir."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook

from simmim_bench.io import atomic_write_json
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class ProgressHook(Hook):
    """Write done and total iterations, seconds left and the last loss.

    Args:
        seconds: Write at most this often.
    """

    priority = "LOWEST"

    def __init__(self, *, seconds: float = 3.0) -> None:
        self.seconds = seconds
        self.started = (0.0, 0)
        self.written = 0.0

    def before_train(self, runner: Any) -> None:
        """Remember where this process began, which is not 0 after a resume."""
        self.started = (time.monotonic(), runner.iter)

    @master_only
    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Write when the last write is old enough."""
        now = time.monotonic()
        if now - self.written < self.seconds:
            return
        loss = float(outputs["loss"].detach())
        self.written = now
        begin, first = self.started
        done = runner.iter + 1
        rate = (now - begin) / max(done - first, 1)
        atomic_write_json(
            Path(runner.work_dir) / "progress.json",
            {
                "done": done,
                "total": runner.max_iters,
                "unit": "iter",
                "eta_seconds": rate * (runner.max_iters - done),
                "metric": {"loss": loss} if math.isfinite(loss) else {},
            },
        )
