"""After memory ran out: fewer images at a time, gradients accumulated to the same batch.

The choice lies in ``batch.json`` of the work dir, where the next start finds it. That start begins
anew, since the schedule of the old checkpoints counts other iterations.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from simmim_bench.io import atomic_write_json

FILE = "batch.json"
PUT_ASIDE = "larger_batch"


def use_smaller_batch(cfg: Any, work_dir: Path, world_size: int) -> str | None:
    """Change ``cfg`` as the run before this one left it.

    Args:
        cfg: Config with ``train_dataloader.batch_size`` images per process.
        work_dir: Folder of the run.
        world_size: Number of processes.

    Returns:
        The deviation for the record, or None if memory has not run out.
    """
    try:
        chosen = json.loads((work_dir / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    before = cfg.train_dataloader.batch_size
    if chosen["from"] != before or chosen["processes"] != world_size:
        return None
    _state_base(cfg, world_size)
    cfg.train_dataloader.batch_size = chosen["to"]
    return (
        f"memory ran out with {before} images per process: {chosen['to']} at a time, gradients "
        f"accumulated to the same batch"
    )


def choose_smaller_batch(cfg: Any, work_dir: Path, world_size: int) -> int | None:
    """Note a batch of at most half the images that still divides the recipe's.

    Args:
        cfg: As it ran when memory ran out.
        work_dir: Folder of the run; its checkpoints are put aside.
        world_size: Number of processes.

    Returns:
        Images per process from now on, or None if there is no smaller batch.
    """
    _state_base(cfg, world_size)
    base, now = cfg.auto_scale_lr.base_batch_size, cfg.train_dataloader.batch_size
    fitting = [size for size in range(1, now // 2 + 1) if base % (size * world_size) == 0]
    if not fitting:
        return None
    path = work_dir / FILE
    first = json.loads(path.read_text("utf-8"))["from"] if path.is_file() else now
    atomic_write_json(path, {"from": first, "to": fitting[-1], "processes": world_size})
    for checkpoint in work_dir.glob("*.pth"):
        (work_dir / PUT_ASIDE).mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another process of the run did it
            checkpoint.replace(work_dir / PUT_ASIDE / checkpoint.name)
    return fitting[-1]


def _state_base(cfg: Any, world_size: int) -> None:
    """State the batch of an optimiser step where the config leaves it to the loader."""
    if cfg.get("auto_scale_lr", {}).get("base_batch_size") is None:
        base = cfg.train_dataloader.batch_size * world_size
        cfg.auto_scale_lr = {"enable": False, "base_batch_size": base}
