"""mmengine's Runner with checkpoints that are never half-written and folders that may move."""

from __future__ import annotations

import logging
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from simmim_bench.backbones import adapter_for

# What upstream says of itself at every run, and nobody can act on.
NOISE = ('"FileClient" will be', '"HardDiskBackend" is the alias', "`save_param_scheduler` is True")
CHECKPOINT = re.compile(r"(?:epoch|iter)_(\d+)\.pth")


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
            model = self.model.module if is_model_wrapper(self.model) else self.model
            adapter_for(model.backbone).init_weights(pretraining=False)
            for parameter in model.backbone.parameters():
                broadcast(parameter.data)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save beside the target and rename, so that a kill leaves the last good file."""
        partial = f".{filename}.partial"
        super().save_checkpoint(out_dir, partial, *args, **kwargs)
        if is_main_process():
            (Path(out_dir) / partial).replace(Path(out_dir) / filename)


def latest_checkpoint(work_dir: Path) -> Path | None:
    """Newest readable checkpoint that lies in ``work_dir`` itself, or None.

    mmengine's ``last_checkpoint`` holds an absolute path, which is wrong in a folder that was
    copied; a truncated file is passed over.
    """
    numbered = sorted(
        (int(match.group(1)), path)
        for path in work_dir.glob("*.pth")
        if (match := CHECKPOINT.fullmatch(path.name))
    )
    for _, path in reversed(numbered):
        if zipfile.is_zipfile(path):
            return path
    return None


def _worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(NOISE)
