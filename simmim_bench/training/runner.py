"""mmengine's Runner with checkpoints that are never half-written and folders that may move."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import broadcast, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner, autocast
from torch import nn

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import LOOPS, OPTIM_WRAPPERS

# What upstream says of itself at every run, and nobody can act on.
NOISE = ('"FileClient" will be', '"HardDiskBackend" is the alias', "`save_param_scheduler` is True")
CHECKPOINT = re.compile(r"(?:epoch|iter)_(\d+)(_stopped)?\.pth")
STOPPED = "epoch_{epoch}_stopped.pth"  # after this many epochs and a part of the next
_FULL = (errno.ENOSPC, errno.EDQUOT)


class BenchRunner(Runner):
    """Runner of every stage; ``Runner`` in all but how it saves and what it prints first."""

    def _log_env(self, env_cfg: Any) -> None:  # noqa: ARG002  (in the manifest and config.py)
        """One line in the place of the compiler flags and the whole config."""
        self.logger.addFilter(_worth_reading)
        where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        self.logger.info(
            f"torch {torch.__version__} on {self.world_size} x {where}, seed {self.seed}; "
            f"config and log in {self.log_dir}"
        )

    def get_hooks_info(self) -> str:
        """Names of the hooks, where mmengine lists them under each of 20 stages."""
        return ", ".join(type(hook).__name__ for hook in self.hooks)

    def _init_model_weights(self) -> None:
        """Start a downstream backbone as the config's ``backbone_init`` says.

        ``original``: as the original code does, which upstream classes do not.
        """
        super()._init_model_weights()
        if "protocol" in self.cfg and self.cfg.get("backbone_init") == "original":
            model = model_of(self)
            adapter_for(model.backbone).init_weights(pretraining=False)
            for parameter in model.backbone.parameters():
                broadcast(parameter.data)

    def wrap_model(self, model_wrapper_cfg: Any, model: Any) -> Any:
        """DDP's wrapper, and none for a model that is going to be sharded."""
        if self.cfg.get("fsdp"):
            return model.to(get_device())
        return super().wrap_model(model_wrapper_cfg, model)

    def build_train_loop(self, loop: Any) -> Any:
        """Build the loop; one over epochs can continue inside an epoch."""
        if isinstance(loop, dict) and (
            loop.get("by_epoch") or loop.get("type") == "EpochBasedTrainLoop"
        ):
            kept = {key: value for key, value in loop.items() if key != "by_epoch"}
            loop = {**kept, "type": "simmim_bench.ResumableEpochLoop"}
        return super().build_train_loop(loop)

    def gather_whole(self, runner: Any) -> None:
        """Collect what a checkpoint needs from all processes; sharded runs put theirs here."""

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save beside the target and rename, so that a kill leaves the last good file.

        Raises:
            BenchError: If the disk is full.
        """
        folder = Path(out_dir)
        partial = folder / f".{filename}.partial"
        self.gather_whole(self)
        try:
            super().save_checkpoint(out_dir, partial.name, *args, **kwargs)
            if is_main_process():
                _settle(partial, folder / filename)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            partial.unlink(missing_ok=True)
            raise BenchError(_disk_full(folder, filename)) from error
        if is_main_process():
            for older in folder.glob(STOPPED.format(epoch="*")):
                if older.name != filename:
                    older.unlink()


def model_of(runner: Any) -> Any:
    """The model of a runner without the wrapper of DDP."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def latest_checkpoint(work_dir: Path, damaged: list[Path] | None = None) -> Path | None:
    """Newest undamaged checkpoint that lies in ``work_dir`` itself, or None.

    mmengine's ``last_checkpoint`` holds an absolute path, which is wrong in a folder that was
    copied. Every byte is compared with the checksums in the file.

    Args:
        work_dir: Folder of a run.
        damaged: Receives the newer ones that were passed over.
    """
    numbered = sorted(
        (int(match.group(1)), bool(match.group(2)), path)
        for path in work_dir.glob("*.pth")
        if (match := CHECKPOINT.fullmatch(path.name))
    )
    for _, _, path in reversed(numbered):
        if _is_sound(path):
            return path
        if damaged is not None:
            damaged.append(path)
    return None


def _is_sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError):
        return False


def _settle(partial: Path, target: Path) -> None:
    """Rename once the bytes are on the disk, so that a power loss leaves no empty file."""
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _disk_full(folder: Path, filename: str) -> str:
    last = latest_checkpoint(folder)
    kept = f"{last.name} is the last good one" if last else "nothing was saved before"
    free = shutil.disk_usage(folder).free / 2**20
    return (
        f"the disk is full: {filename} does not fit into {folder}, where {free:.0f} MiB are free; "
        f"{kept}; free some space, then the same command with --resume continues"
    )


def _worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(NOISE)


# A loop over epochs that can continue in the middle of one.


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """mmengine's loop; after a checkpoint from inside an epoch it goes on with the next batch.

    Samples draw by (seed, epoch, index) and the model by (seed, iteration), so that what follows
    equals a run that was never stopped.
    """

    skipped = 0

    def run_epoch(self) -> None:
        """Iterate what is left of the epoch."""
        self.skipped = self._iter - self._epoch * len(self.dataloader)
        if self.skipped:
            rest = LaterBatches(self.dataloader.batch_sampler, self.skipped)
            # DataLoader refuses to set it; nothing has iterated yet, so nothing keeps the old one.
            self.dataloader.__dict__["batch_sampler"] = rest
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """Run one batch under its number in the whole epoch."""
        super().run_iter(idx + self.skipped, data_batch)


class LaterBatches:
    """A batch sampler without its first batches, the first time that it is gone through.

    Args:
        sampler: What it stands for in all else.
        skip: Number of batches to leave out.
    """

    def __init__(self, sampler: Any, skip: int) -> None:
        self._inner = sampler
        self._skip = skip

    def __iter__(self) -> Iterator[Any]:
        skip, self._skip = self._skip, 0
        return islice(iter(self._inner), skip, None)

    def __len__(self) -> int:
        return len(self._inner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)


# Mixed precision in bfloat16, on any device.


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes compute in bfloat16 where PyTorch holds it safe.

    bfloat16 has the exponents of float32, so the loss needs no scaling, and a CPU knows it, too;
    mmengine's ``AmpOptimWrapper`` refuses CPUs.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute the forward pass in bfloat16."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
