"""mmengine's ``Runner`` with atomic checkpoints."""

from __future__ import annotations

import copy
import errno
import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import broadcast, is_main_process
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner, autocast
from mmengine.runner import runner as mmengine_runner
from torch import nn

from simmim_bench.backbones import adapter_for
from simmim_bench.data.image_folder import check_sample, use_image_folder
from simmim_bench.errors import BenchError
from simmim_bench.registry import OPTIM_WRAPPERS
from simmim_bench.tasks.box_precision import keep_boxes_in_float32
from simmim_bench.training.channels import check_channels
from simmim_bench.training.history import LazyMessageHub, log_without_waiting
from simmim_bench.training.loop import ResumableEpochLoop
from simmim_bench.training.optim import use_fused_kernel
from simmim_bench.weights.files import is_intact

# Lines that mmengine logs at every run and that users can do nothing about.
NOISE = ('"FileClient" will be', '"HardDiskBackend" is the alias', "`save_param_scheduler` is True")
CHECKPOINT = re.compile(r"(?:epoch|iter)_(\d+)(_stopped)?\.pth")
STOPPED = "epoch_{epoch}_stopped.pth"  # after this many epochs and a part of the next
DDP = "MMDistributedDataParallel"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class BenchRunner(Runner):
    """Runner of every stage: atomic checkpoints, a short start of the log."""

    def _log_env(self, env_cfg: Any) -> None:  # noqa: ARG002  (in the manifest and config.py)
        """Log one line instead of the compiler flags and the whole config."""
        self.logger.addFilter(_is_useful)
        where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        self.logger.info(
            f"torch {torch.__version__} on {self.world_size} x {where}, seed {self.seed}; "
            f"config and log in {self.log_dir}"
        )

    def setup_env(self, env_cfg: Any) -> None:
        """Set up the process; ``env_cfg.tf32`` allows TF32 where a GPU computes in float32."""
        super().setup_env(env_cfg)
        allow_tf32(env_cfg)

    def build_message_hub(self, message_hub: dict[str, Any] | None = None) -> MessageHub:
        """Build a hub to which a value costs the same at every iteration."""
        stated = {"name": self._experiment_name, **(message_hub or {})}
        LazyMessageHub.install(stated["name"])
        return super().build_message_hub(message_hub)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the wrapper: fused Adam; norms of gradients are logged without waiting."""
        if isinstance(optim_wrapper, dict):
            optim_wrapper = use_fused_kernel(optim_wrapper)
        built = super().build_optim_wrapper(optim_wrapper)
        for wrapper in built.values() if isinstance(built, OptimWrapperDict) else [built]:
            log_without_waiting(wrapper)
        return built

    def get_hooks_info(self) -> str:
        """Names of the hooks; mmengine lists them under each of 20 stages."""
        return ", ".join(type(hook).__name__ for hook in self.hooks)

    def build_model(self, model: Any) -> nn.Module:
        """Build the model with fast attention; in mixed precision boxes stay float32.

        Raises:
            BenchError: If neck or heads take other channels than the backbone returns.
        """
        # it imports mmpretrain, which must not happen before the operators are replaced
        from simmim_bench.backbones.fast_attention import speed_up

        built: nn.Module = super().build_model(model)
        check_channels(model, built)
        speed_up(built)
        if "mmseg.models" in sys.modules:  # else there is no segmentor
            from simmim_bench.tasks.quick_labels import label_quickly

            label_quickly(built)
        keep_boxes_in_float32(built)
        return built

    def _init_model_weights(self) -> None:
        """Initialise weights; a downstream backbone as ``backbone_init`` in the config says.

        ``original``: as in the original code, which differs from the libraries.
        """
        super()._init_model_weights()
        if "protocol" in self.cfg and self.cfg.get("backbone_init") == "original":
            model = model_of(self)
            adapter_for(model.backbone).init_weights(pretraining=False)
            for parameter in model.backbone.parameters():
                broadcast(parameter.data)

    @staticmethod
    def build_dataloader(
        dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False
    ) -> Any:
        """Build a data loader; folders of images are read by ``ImageFolder``.

        Raises:
            BenchError: If one of a sample of its images cannot be used.
        """
        if isinstance(dataloader, dict):
            dataloader = copy.deepcopy(dataloader)
            use_image_folder(dataloader["dataset"])
        built = Runner.build_dataloader(dataloader, seed, diff_rank_seed)
        if isinstance(dataloader, dict) and (note := check_sample(built.dataset)):
            MMLogger.get_current_instance().warning(note)
        return built

    def wrap_model(self, model_wrapper_cfg: Any, model: Any) -> Any:
        """Wrap the model in DDP, unless it is going to be sharded."""
        if self.cfg.get("fsdp"):
            return model.to(get_device())
        options = ddp_options(self.cfg, model_wrapper_cfg)
        return super().wrap_model(options if self.distributed else None, model)

    def build_train_loop(self, loop: Any) -> Any:
        """Build the loop; a loop over epochs can continue inside an epoch."""
        if isinstance(loop, dict) and (
            loop.get("by_epoch") or loop.get("type") == "EpochBasedTrainLoop"
        ):
            kept = {key: value for key, value in loop.items() if key != "by_epoch"}
            loop = {**kept, "type": f"simmim_bench.{ResumableEpochLoop.__name__}"}
        return super().build_train_loop(loop)

    def gather_whole(self, runner: Any) -> None:
        """Gather a sharded model before a checkpoint; ``FullyShardHook`` replaces this method."""

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save to another file and rename it, so that a killed run leaves no damaged checkpoint.

        All processes call it; the first one saves. If what each process holds differs, the model
        has a method ``share_between_processes``, which is called before.

        Raises:
            BenchError: If the disk is full.
        """
        folder = Path(out_dir)
        partial = folder / f".{filename}.partial"
        self.gather_whole(self)
        self.call_hook("check_weights")
        if share := getattr(model_of(self), "share_between_processes", None):
            share()
        try:
            with _written_to_disk():
                super().save_checkpoint(out_dir, partial.name, *args, **kwargs)
            if is_main_process():
                _rename_on_disk(partial, folder / filename)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            partial.unlink(missing_ok=True)
            raise BenchError(_disk_full(folder, filename)) from error
        if is_main_process():
            for older in folder.glob(STOPPED.format(epoch="*")):
                if older.name != filename:
                    older.unlink()


def configure(
    cfg: Any, work_dir: str | Path, launcher: str, seed: int, hooks: list[dict[str, Any]]
) -> None:
    """State in a config what a command line says about the run.

    Args:
        cfg: Config; changed in place.
        work_dir: Output folder.
        launcher: ``none``, ``pytorch`` or ``slurm``.
        seed: Random seed.
        hooks: Hooks besides those of the config.
    """
    # The text, which mmengine stores several times, is indented anyway; yapf takes seconds.
    object.__setattr__(cfg, "_format_python_code", False)
    cfg.work_dir, cfg.launcher = str(work_dir), launcher
    cfg.randomness = {"deterministic": False, **cfg.get("randomness", {}), "seed": seed}
    cfg.custom_hooks = [*cfg.get("custom_hooks", []), *hooks]


def ddp_options(cfg: Mapping[str, Any], stated: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Config of the wrapper for several processes: mmengine's DDP, unless another is stated.

    Gradients are views of what is sent, which saves a copy of all of them, in memory too. The graph
    is not declared static: detectors and adaptive masks use other parts of it at each step.

    Args:
        cfg: Config; it may have ``find_unused_parameters``.
        stated: Its ``model_wrapper_cfg``, or None.
    """
    if stated and not stated.get("type", DDP).endswith(DDP):
        return dict(stated)
    return {
        "type": f"mmengine.{DDP}",
        "broadcast_buffers": False,
        "find_unused_parameters": cfg.get("find_unused_parameters", False),
        "gradient_as_bucket_view": True,
        **({} if torch.cuda.is_available() else {"device_ids": None}),
        **(stated or {}),
    }


def allow_tf32(env_cfg: Mapping[str, Any]) -> None:
    """Allow or forbid TF32, as ``tf32`` of a config's ``env_cfg`` says."""
    allowed = bool(env_cfg.get("tf32", False))
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def model_of(runner: Any) -> Any:
    """The model of a runner without the wrapper of DDP."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def latest_checkpoint(work_dir: Path, damaged: list[Path] | None = None) -> Path | None:
    """Newest undamaged checkpoint in ``work_dir``, or None.

    mmengine's ``last_checkpoint`` holds an absolute path, which is wrong in a copied folder. The
    checksums in the file are checked.

    Args:
        work_dir: Folder of a run.
        damaged: Newer checkpoints that are damaged are appended to this list.
    """
    numbered = sorted(
        (int(match.group(1)), bool(match.group(2)), path)
        for path in work_dir.glob("*.pth")
        if (match := CHECKPOINT.fullmatch(path.name))
    )
    for _, _, path in reversed(numbered):
        if is_intact(path):
            return path
        if damaged is not None:
            damaged.append(path)
    return None


@contextmanager
def _written_to_disk() -> Iterator[None]:
    """In the block, mmengine writes a checkpoint to its file, not to memory first."""
    usual = mmengine_runner.save_checkpoint
    mmengine_runner.save_checkpoint = _write
    try:
        yield
    finally:
        mmengine_runner.save_checkpoint = usual


def _write(checkpoint: Mapping[str, Any], path: str, **_: Any) -> None:
    with Path(path).open("wb") as stream:
        try:
            torch.save(checkpoint, stream)
        except RuntimeError as error:  # of the archive's end, which follows a write that failed
            cause = error.__context__
            raise cause if isinstance(cause, OSError) else error from None


def _rename_on_disk(partial: Path, target: Path) -> None:
    """Rename after the bytes are on the disk, so that a power failure leaves no empty file."""
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
    kept = f"{last.name} is the last checkpoint" if last else "there is no earlier checkpoint"
    free = shutil.disk_usage(folder).free / 2**20
    return (
        f"the disk is full: {filename} does not fit into {folder} ({free:.0f} MiB free); {kept}; "
        f"free some space and continue with --resume"
    )


def _is_useful(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(NOISE)


@OPTIM_WRAPPERS.register_module()
class Bfloat16OptimWrapper(OptimWrapper):
    """Mixed precision in bfloat16 on any device.

    bfloat16 has the range of float32, so that the loss needs no scaling. mmengine's
    ``AmpOptimWrapper`` does not support CPUs.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass in bfloat16."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
