"""Keep a recipe's effective batch on another number of devices.

A config is written for ``auto_scale_lr.base_batch_size`` images per optimiser step
(``8xb128`` = 1024). With fewer devices gradients are accumulated over several iterations, with more
each has fewer images; ``--auto-scale-lr`` changes the learning rate by the linear scaling rule
instead.
"""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json

COMPARING = {
    "simmim_bench.ImageTextAligner",
    "simmim_bench.MultiViewContrast",
    "simmim_bench.MultiViewSimMIM",
    "SimCLR",
    "MoCoV3",
}
COUNTED = ("begin", "end", "T_max", "warmup", "milestones", "step_size")  # in schedulers


def keep_recipe(cfg: Any, world_size: int, *, auto_scale_lr: bool) -> str | None:
    """Change ``cfg`` so that ``world_size`` processes follow the recipe.

    Args:
        cfg: mmengine ``Config`` with ``train_dataloader.batch_size`` images per process.
        world_size: Number of processes.
        auto_scale_lr: Scale the learning rate instead of accumulating gradients.

    Returns:
        A sentence for the log and the record, or None if nothing had to change.

    Raises:
        BenchError: If the batch of the recipe cannot be had on this many processes.
    """
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size")
    batch = cfg.train_dataloader.batch_size
    seen = batch * world_size
    if base is None or seen == base:
        return None
    if auto_scale_lr:
        cfg.auto_scale_lr.enable = True
        return (
            f"learning rate x {seen / base:g} by the linear scaling rule: batch {seen} "
            f"({world_size} x {batch}) instead of {base}"
        )
    if seen > base and base % world_size == 0:
        cfg.train_dataloader.batch_size = base // world_size
        return (
            f"{base // world_size} images per process instead of {batch}: {world_size} x "
            f"{base // world_size} = {base} images per optimiser step, as in the recipe"
        )
    if base % seen:
        fitting = [size for size in range(1, batch + 1) if base % (size * world_size) == 0]
        smaller = f", or --cfg-options train_dataloader.batch_size={fitting[-1]}" if fitting else ""
        raise BenchError(
            f"the recipe's batch is {base} images, but {world_size} process(es) x {batch} images "
            f"= {seen} does not divide it; pass --auto-scale-lr{smaller}"
        )
    count = base // seen
    _accumulate(cfg, count)
    return (
        f"gradients accumulated over {count} iterations: {world_size} x {batch} x {count} = "
        f"{base} images per optimiser step, as in the recipe"
    )


def has_batch_norm(node: Any) -> bool:
    """Whether a model's config holds batch norm, whose statistics follow the batch of a step."""
    if isinstance(node, (list, tuple)):
        return any(has_batch_norm(child) for child in node)
    if not hasattr(node, "items"):
        return False
    return node.get("type") in {"BN", "BN1d", "SyncBN"} or any(
        has_batch_norm(child) for child in node.values()
    )


def has_in_batch_negatives(model: Any) -> bool:
    """Whether a model's loss compares the images of a step with each other."""
    own = model.get("type") in COMPARING
    return own or model.get("distance", {}).get("type") == "simmim_bench.InfoNCE"


def _accumulate(cfg: Any, count: int) -> None:
    """Accumulate over ``count`` iterations; whatever counts iterations counts ``count`` times."""
    wrapper = cfg.optim_wrapper
    wrapper.accumulative_counts = wrapper.get("accumulative_counts", 1) * count
    schedulers = cfg.get("param_scheduler") or []
    for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers:
        if not scheduler.get("by_epoch", True):
            _stretch(
                scheduler, ("begin", "end", "T_max", "warmup", "milestones", "step_size"), count
            )
    if "max_iters" in cfg.train_cfg:
        _stretch(cfg.train_cfg, ("max_iters", "val_interval", "val_begin"), count)
        checkpoint = cfg.get("default_hooks", {}).get("checkpoint", {})
        if not checkpoint.get("by_epoch", True):
            _stretch(checkpoint, ("interval",), count)


def _stretch(node: Any, keys: tuple[str, ...], count: int) -> None:
    for key in keys:
        if key in node:
            value = node[key]
            node[key] = (
                [step * count for step in value]
                if isinstance(value, (list, tuple))
                else value * count
            )


def _scale(args: argparse.Namespace, cfg: Any, facts: dict[str, Any], world_size: int) -> list[str]:
    """Keep the recipe's batch on these devices; note in the facts where that is not the recipe."""
    if args.try_iterations is not None:
        return []
    shrunk = use_smaller_batch(cfg, Path(cfg.work_dir), world_size) if args.resume else None
    facts["deviations"] += [shrunk] if shrunk else []
    note = keep_recipe(cfg, world_size, auto_scale_lr=args.auto_scale_lr)
    accumulated = cfg.optim_wrapper.get("accumulative_counts", 1) > 1
    if note and has_batch_norm(cfg.model):
        note += "; batch norm sees fewer images at a time than in the recipe"
        facts["deviations"].append(note)
    elif note and accumulated and has_in_batch_negatives(cfg.model):
        note += "; the contrastive loss has fewer negatives than in the recipe"
        facts["deviations"].append(note)
    elif note and args.auto_scale_lr:
        facts["deviations"].append(note)
    return [text for text in (shrunk, note) if text]


# After memory ran out: fewer images at a time, gradients accumulated to the same batch.
#
# The choice lies in ``batch.json`` of the work dir, where the next start finds it. That start
# begins anew, since the schedule of the old checkpoints counts other iterations.


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
