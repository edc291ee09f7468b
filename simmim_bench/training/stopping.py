"""A run that ends early: on a signal, or after an error that another start would solve.

It writes ``stop.json`` (``simmim_bench.stop``) and exits with code 75, and the same command with
``--resume`` continues it. A run whose loss is not finite writes a failed manifest instead.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from simmim_bench.errors import BenchError
from simmim_bench.registry import HOOKS
from simmim_bench.stop import AGAIN, Stop
from simmim_bench.training.batch import choose_same_batch, choose_smaller_batch
from simmim_bench.training.failures import out_of_memory
from simmim_bench.training.hooks.manifest import ManifestHook
from simmim_bench.training.hooks.steps import DivergedError
from simmim_bench.training.process import leave
from simmim_bench.training.runner import STOPPED, latest_checkpoint, model_of

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # Slurm sends one of them before it ends a job
DEAD_WORKER = re.compile(r"DataLoader worker \(pid.*?(exited unexpectedly|is killed by signal)")


@HOOKS.register_module()
class PreemptionHook(Hook):
    """After SIGTERM or SIGUSR1, finish the optimiser step, save a checkpoint, exit with code 75.

    During a validation no checkpoint is written, because there is one from just before.

    Args:
        interval: The processes of a run exchange whether one got a signal about every ``interval``
            iterations.
    """

    priority = "LOWEST"

    def __init__(self, *, interval: int = 10) -> None:
        self.interval = interval
        self.received: signal.Signals | None = None
        self.previous: dict[signal.Signals, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Install the signal handlers."""
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def after_train(self, runner: Any) -> None:
        """Restore the previous handlers."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Exit after a signal, unless gradients are being accumulated or the epoch ends here.

        Raises:
            SystemExit: With code 75: the same command continues.
        """
        if not runner.optim_wrapper.should_update() or self._ends_epoch(runner, batch_idx):
            return
        if self._any_received(runner):
            _save(runner)
            self._exit(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Exit after a signal.

        Raises:
            SystemExit: With code 75: the same command continues.
        """
        if get_world_size() == 1 and self.received:
            self._exit(runner, runner.iter)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)

    def _ends_epoch(self, runner: Any, batch_idx: int) -> bool:
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        return self.is_last_train_iter(runner) or (
            by_epoch and self.end_of_epoch(runner.train_dataloader, batch_idx)
        )

    def _any_received(self, runner: Any) -> bool:
        """Whether any process got a signal; all must exit after the same iteration."""
        if get_world_size() == 1:
            return self.received is not None
        # A checkpoint can only follow an optimiser step: exchange in multiples of its iterations.
        step = runner.cfg.optim_wrapper.get("accumulative_counts", 1)
        if not self.every_n_train_iters(runner, step * max(1, self.interval // step)):
            return False
        received = torch.tensor(float(self.received is not None))
        received = received.to(next(runner.model.parameters()).device)
        all_reduce(received)
        return bool(received)

    def _exit(self, runner: Any, done: int) -> None:
        by = self.received.name if self.received else "a signal to another process"
        message = f"stopped by {by}; the checkpoint is from iteration {done}"
        if is_main_process():
            Stop("preempted", message, done).write(Path(runner.work_dir))
        # The first process saves. If another exits before, the launcher kills those that are left.
        barrier()
        runner.logger.info(message)
        for number in SIGNALS:  # torchrun sends one when the first process has exited
            signal.signal(number, signal.SIG_IGN)
        leave()
        raise SystemExit(AGAIN)


@contextmanager
def stopping(
    runner: Any,
    *,
    may_restart: bool,
    may_shrink: bool,
    tried_again: bool,
    may_diverge: bool = False,
) -> Iterator[None]:
    """Exit with code 75 if another start would continue; write the manifest of a diverged run.

    Args:
        runner: Runner of the training.
        may_restart: Whether the same command continues this run.
        may_shrink: Whether another start may use a smaller batch and accumulate gradients.
        tried_again: Whether an earlier start was out of memory with this batch
            (``batch.has_tried_again`` before the processes of this start trained).
        may_diverge: Whether a loss that is not finite is a result, as of a trial, and no error.

    Raises:
        SystemExit: If the same command should be started again.
        BenchError: If memory ran out in a validation, or while reconstructions were drawn.
    """
    try:
        yield
    except DivergedError as error:
        _mark_failed(runner, error)
        if not may_diverge:
            raise
        runner.logger.warning(str(error))
    except RuntimeError as error:
        if out_of_memory(str(error)) and not model_of(runner).training:
            raise BenchError(_out_of_memory_in_evaluation(runner)) from error
        shrink = may_shrink if tried_again else None
        stop = _stop_of(runner, error, shrink=shrink) if may_restart else None
        if stop is None:
            raise
        runner.logger.error(stop.message)
        stop.write(Path(runner.work_dir))
        raise SystemExit(AGAIN) from error


def _save(runner: Any) -> None:
    """Save a checkpoint that states its epoch and iteration."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    done = runner.iter + 1
    name = STOPPED.format(epoch=runner.epoch) if by_epoch else f"iter_{done}.pth"
    meta = {"epoch": runner.epoch, "iter": done}
    runner.save_checkpoint(runner.work_dir, name, meta=meta, by_epoch=by_epoch)


def _stop_of(runner: Any, error: RuntimeError, *, shrink: bool | None) -> Stop | None:
    """What the next start will do; None if it would fail like this one.

    Args:
        runner: Runner of the training.
        error: Its error.
        shrink: Whether it may use a smaller batch; None: it has the same batch.
    """
    if found := DEAD_WORKER.search(str(error)):
        message = f"a data worker died ({found.group()}); the same command continues the run"
        return Stop("data worker died", message, runner.iter)
    if not out_of_memory(str(error)):
        return None
    before = runner.train_dataloader.batch_sampler.batch_size
    when = f"iteration {runner.iter + 1} with {before} images per process"
    place = (runner.cfg, Path(runner.work_dir), runner.world_size)
    if shrink is None:
        choose_same_batch(*place)
        then = "continues from the last checkpoint with the same batch"
    elif shrink and (images := choose_smaller_batch(*place)):
        then = f"starts again with {images}, gradients accumulated to the same batch"
    else:
        return None
    message = f"out of memory at {when}; the same command {then}"
    return Stop("out of memory", message, runner.iter)


def _out_of_memory_in_evaluation(runner: Any) -> str:
    """A smaller batch of training would not help, and one of validation is another config."""
    last = latest_checkpoint(Path(runner.work_dir))
    kept = f"; the training is kept in {last}" if last else ""
    if runner.val_loop is None:
        return (
            f"out of memory while reconstructions were drawn after iteration {runner.iter}{kept}; "
            f"free memory of the device, or use one with more, and continue with --resume"
        )
    images = runner.val_dataloader.batch_sampler.batch_size
    smaller = (
        f", or start in another --work-dir with --cfg-options "
        f"val_dataloader.batch_size={images // 2}"
        if images > 1
        else ""
    )
    return (
        f"out of memory in the validation after iteration {runner.iter}, {images} images at a "
        f"time{kept}; free memory of the device, or use one with more, and continue with --resume"
        f"{smaller}"
    )


def _mark_failed(runner: Any, error: DivergedError) -> None:
    for hook in runner.hooks:
        if isinstance(hook, ManifestHook):
            hook.write_failed(runner, str(error), error.iteration)
