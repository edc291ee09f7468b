"""Save and leave when asked to end, so that the same command continues where this one was."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.registry import HOOKS
from simmim_bench.stop import AGAIN, Stop
from simmim_bench.training.process import leave
from simmim_bench.training.runner import STOPPED

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # Slurm sends either before it takes a node away


@HOOKS.register_module()
class PreemptionHook(Hook):
    """After SIGTERM or SIGUSR1, finish the optimiser step, write a checkpoint, leave with code 75.

    During a validation nothing is written: the checkpoint before it is there.

    Args:
        interval: Processes of one run ask one another about every this many iterations.
    """

    priority = "LOWEST"

    def __init__(self, *, interval: int = 10) -> None:
        self.interval = interval
        self.asked: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._ask) for number in SIGNALS}

    def after_train(self, runner: Any) -> None:
        """Listen no more."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave if asked, unless gradients are being accumulated or the epoch just ends.

        Raises:
            SystemExit: With the code that means "start me again".
        """
        if not runner.optim_wrapper.should_update() or self._ends_epoch(runner, batch_idx):
            return
        if self._all_agree(runner):
            _save(runner)
            self._leave(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave if asked.

        Raises:
            SystemExit: With the code that means "start me again".
        """
        if get_world_size() == 1 and self.asked:
            self._leave(runner, runner.iter)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number)

    def _ends_epoch(self, runner: Any, batch_idx: int) -> bool:
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        return self.is_last_train_iter(runner) or (
            by_epoch and self.end_of_epoch(runner.train_dataloader, batch_idx)
        )

    def _all_agree(self, runner: Any) -> bool:
        """Whether any process was asked; all must leave after the same iteration."""
        if get_world_size() == 1:
            return self.asked is not None
        # Both asking and saving wait for a step: ask in multiples of the iterations that make one.
        step = runner.cfg.optim_wrapper.get("accumulative_counts", 1)
        if not self.every_n_train_iters(runner, step * max(1, self.interval // step)):
            return False
        asked = torch.tensor(float(self.asked is not None))
        asked = asked.to(next(runner.model.parameters()).device)
        all_reduce(asked)
        return bool(asked)

    def _leave(self, runner: Any, done: int) -> None:
        by = self.asked.name if self.asked else "another process of this run"
        message = f"asked to end by {by}, checkpoint kept after iteration {done}"
        runner.logger.info(message)
        if is_main_process():
            Stop("preempted", message, done).write(Path(runner.work_dir))
        leave()
        raise SystemExit(AGAIN)


def _save(runner: Any) -> None:
    """Write a checkpoint that says how far into the epoch it is."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    done = runner.iter + 1
    name = STOPPED.format(epoch=runner.epoch) if by_epoch else f"iter_{done}.pth"
    meta = {"epoch": runner.epoch, "iter": done}
    runner.save_checkpoint(runner.work_dir, name, meta=meta, by_epoch=by_epoch)
