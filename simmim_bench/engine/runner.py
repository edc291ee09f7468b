"""mmengine's Runner with checkpoints that are never half-written and folders that may move."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

CHECKPOINT = re.compile(r"(?:epoch|iter)_(\d+)\.pth")


class BenchRunner(Runner):
    """Runner of every stage; ``Runner`` in all but how it saves a checkpoint."""

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save beside the target and rename, so that a kill leaves the last good file."""
        partial = f".{filename}.partial"
        super().save_checkpoint(out_dir, partial, *args, **kwargs)
        if is_main_process():
            (Path(out_dir) / partial).replace(Path(out_dir) / filename)


def build_runner(cfg: Any) -> BenchRunner:
    """Build a runner from a config, under the config's default scope."""
    runner = BenchRunner.from_cfg(cfg)
    # Nested types are looked up by the scope of the last runner built in this process.
    DefaultScope.get_instance(runner.experiment_name, scope_name=cfg.default_scope)
    return runner


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
