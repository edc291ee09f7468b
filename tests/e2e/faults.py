"""Hooks that make a run fail in a given way, and that keep what each process holds."""

import atexit
import os
import signal
import time
from pathlib import Path

import psutil
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class Fault(Hook):
    """At iteration ``at`` (from 0) of a run's first start do ``kind``."""

    priority = "VERY_HIGH"

    def __init__(self, *, kind: str, at: int) -> None:
        self.kind = kind
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):  # noqa: ARG002
        if runner.iter == self.at:
            getattr(self, self.kind)(runner)

    def out_of_memory(self, runner):
        images = runner.train_dataloader.batch_sampler.batch_size
        if images > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def before_val_iter(self, runner, batch_idx, data_batch=None):  # noqa: ARG002
        if self.kind == "out_of_memory_in_validation" and self.once(runner):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def out_of_memory_in_validation(self, runner):
        """Not before the validation."""

    def nan(self, runner):
        next(runner.model.parameters()).data.fill_(float("nan"))

    def preempted(self, runner):
        if self.once(runner):
            os.kill(os.getpid(), signal.SIGUSR1)

    def worker(self, runner):
        if self.once(runner):
            for child in psutil.Process().children():
                child.kill()

    def once(self, runner):
        mark = Path(runner.work_dir) / "fault"
        first = not mark.exists()
        mark.touch()
        return first


@HOOKS.register_module()
class SlowDisk(Hook):
    """A checkpoint takes 2 s, and each process writes which checkpoints there are when it exits."""

    def before_train(self, runner):
        atexit.register(self.note, Path(runner.work_dir), get_rank())

    def before_save_checkpoint(self, runner, checkpoint):  # noqa: ARG002
        time.sleep(2)

    @staticmethod
    def note(folder, rank):
        names = sorted(path.name for path in folder.glob("*.pth"))
        (folder / f"exit{rank}.txt").write_text(" ".join(names))


@HOOKS.register_module()
class KeepRanks(Hook):
    """At the end each process writes the weights that it holds itself."""

    def after_train(self, runner):
        torch.save(runner.model.state_dict(), Path(runner.work_dir) / f"rank{get_rank()}.pt")
