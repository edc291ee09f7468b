"""Keep a recipe's effective batch on another number of devices, or with less memory.

A config is written for ``auto_scale_lr.base_batch_size`` images per optimiser step: devices x
images per device (``8xb128`` in its name) x ``optim_wrapper.accumulative_counts`` iterations whose
gradients are accumulated, for example 8 x 128 x 2 = 2048. With fewer devices gradients are
accumulated over more iterations, with more devices over fewer, and then each device gets fewer
images; ``--auto-scale-lr`` changes the learning rate by the linear scaling rule instead.

After a run is out of memory, ``batch.json`` in its work dir states the batch of the next start. The
first time it is the same: the run continues from its last checkpoint, because other processes may
have used the memory. From then on it is at most half, with gradients accumulated to the same
effective batch. That start trains from the beginning, because the schedule of the old checkpoints
counts other iterations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, read_json
from simmim_bench.registry import class_of
from simmim_bench.training.run import Note, Run

FILE = "batch.json"
LARGER_BATCH = "larger_batch"  # folder for the checkpoints from before memory ran out
COUNTED = ("begin", "end", "T_max", "warmup", "milestones", "step_size")  # in schedulers
# mmpretrain's classes with in-batch negatives, which cannot state `compares_within_batch`.
UPSTREAM = {"SimCLR", "MoCoV3"}
NORMS = {"BN", "BN1d", "SyncBN"}
BUILDS_ONE = "uses_batch_norm"
"""Attribute of a class that builds batch norm, which its config does not say."""
TEACHER = "TeacherAttentionScore"


def keep_batch(cfg: Any, run: Run) -> str | None:
    """Keep the recipe's batch; a deviation if the result is not that of the recipe all the same."""
    if run.is_try or not getattr(
        class_of(cfg.model.type, "MODELS", cfg.default_scope), "learns", True
    ):
        return None
    stated, images = accumulated(cfg), cfg.train_dataloader.batch_size
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size")
    text = keep_recipe(cfg, run.world_size, auto_scale_lr=run.auto_scale_lr)
    if text is None:
        return None
    norms = set(batch_norms(cfg.model, cfg.default_scope))
    before, now = images, cfg.train_dataloader.batch_size
    if "SyncBN" in norms:  # of all processes together
        before, now = base // stated, now * run.world_size
    if norms and before != now:
        other = "more" if now > before else "fewer"
        return f"{text}; batch norm sees {other} images at a time than in the recipe"
    if accumulated(cfg) != stated and cfg.model.get("score", {}).get("type", "").endswith(TEACHER):
        return f"{text}; the teacher's average is updated at each iteration, as in no recipe"
    if accumulated(cfg) > stated and has_in_batch_negatives(cfg):
        return f"{text}; the contrastive loss has fewer negatives than in the recipe"
    return text if run.auto_scale_lr else Note(text)


def keep_recipe(cfg: Any, world_size: int, *, auto_scale_lr: bool) -> str | None:
    """Change ``cfg`` so that ``world_size`` processes follow the recipe.

    Args:
        cfg: mmengine ``Config`` with ``train_dataloader.batch_size`` images per process.
        world_size: Number of processes.
        auto_scale_lr: Scale the learning rate instead of accumulating gradients.

    Returns:
        A sentence for the log and the record, or None if nothing had to change.

    Raises:
        BenchError: If the batch of the recipe is not divisible by that of the processes.
    """
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size")
    batch, stated = cfg.train_dataloader.batch_size, accumulated(cfg)
    seen = batch * world_size
    if base is None or seen * stated == base:
        return None
    if auto_scale_lr:
        cfg.auto_scale_lr.enable = True
        cfg.auto_scale_lr.base_batch_size = base // stated  # mmengine compares one iteration
        steps = f" x {stated}" if stated > 1 else ""
        return (
            f"learning rate x {seen * stated / base:g} by the linear scaling rule: batch "
            f"{seen * stated} ({world_size} x {batch}{steps}) instead of {base}"
        )
    if seen > base and base % world_size == 0:
        cfg.train_dataloader.batch_size = base // world_size
        _accumulate(cfg, 1)
        return (
            f"{base // world_size} images per process instead of {batch}: {world_size} x "
            f"{base // world_size} = {base} images per optimiser step, as in the recipe"
        )
    if base % seen:
        fitting = [size for size in range(1, batch + 1) if base % (size * world_size) == 0]
        smaller = f", or --cfg-options train_dataloader.batch_size={fitting[-1]}" if fitting else ""
        raise BenchError(
            f"the recipe's batch is {base} images, which is not divisible by {world_size} "
            f"process(es) x {batch} images = {seen}; pass --auto-scale-lr{smaller}"
        )
    count = base // seen
    _accumulate(cfg, count)
    if count == 1:
        return (
            f"no accumulation of gradients: {world_size} x {batch} = {base} images per optimiser "
            f"step, as in the recipe"
        )
    return (
        f"gradients accumulated over {count} iterations: {world_size} x {batch} x {count} = "
        f"{base} images per optimiser step, as in the recipe"
    )


def accumulated(cfg: Any) -> int:
    """Iterations whose gradients make one optimiser step."""
    return int(cfg.optim_wrapper.get("accumulative_counts", 1))


def batch_norms(node: Any, scope: str) -> Iterator[str]:
    """Types of batch norm in a model's config, whose statistics depend on the batch of a step.

    Args:
        node: The model, or a part of it.
        scope: Default scope of the config.
    """
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from batch_norms(child, scope)
    elif hasattr(node, "items"):
        name = node.get("type")
        if name in NORMS:
            yield name
        elif isinstance(name, str) and getattr(class_of(name, "MODELS", scope), BUILDS_ONE, False):
            yield "BN1d"
        for child in node.values():
            yield from batch_norms(child, scope)


def has_in_batch_negatives(cfg: Any) -> bool:
    """Whether the loss compares the images of a step with one another.

    The class of the model, or of one of its parts, says so: ``compares_within_batch``.
    """
    parts = [cfg.model, *(part for part in cfg.model.values() if hasattr(part, "items"))]
    for name in (part["type"] for part in parts if "type" in part):
        found = class_of(name, "MODELS", cfg.default_scope)
        if getattr(found, "compares_within_batch", False):
            return True
        if getattr(found, "__name__", None) in UPSTREAM:
            return True
    return False


def use_smaller_batch(cfg: Any, run: Run) -> str | None:
    """Use the batch that an earlier start of this run chose when it was out of memory."""
    if run.is_try or not run.resume:
        return None
    try:
        chosen = json.loads((run.work_dir / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    before = cfg.train_dataloader.batch_size
    base = cfg.get("auto_scale_lr", {}).get("base_batch_size")
    if base and before * run.world_size > base and base % run.world_size == 0:
        before = base // run.world_size  # what ``keep_recipe`` makes of it
    if (chosen["from"], chosen["processes"]) != (before, run.world_size) or chosen["to"] == before:
        return None
    _state_base(cfg, run.world_size)
    cfg.train_dataloader.batch_size = chosen["to"]
    text = f"memory ran out with {before} images per process: {chosen['to']} at a time"
    if not getattr(class_of(cfg.model.type, "MODELS", cfg.default_scope), "learns", True):
        return Note(text)
    return f"{text}, gradients accumulated to the same batch"


def has_tried_again(cfg: Any, work_dir: Path, world_size: int) -> bool:
    """Whether an earlier start of this run was out of memory with the same batch as this one.

    Args:
        cfg: As it runs.
        work_dir: Folder of the run.
        world_size: Number of processes.
    """
    chosen = read_json(work_dir / FILE) or {}
    same = (cfg.train_dataloader.batch_size, world_size)
    return (chosen.get("to"), chosen.get("processes")) == same


def choose_same_batch(cfg: Any, work_dir: Path, world_size: int) -> None:
    """Write ``batch.json``: the next start has the same batch.

    Args:
        cfg: As it ran when memory ran out.
        work_dir: Folder of the run.
        world_size: Number of processes.
    """
    now = cfg.train_dataloader.batch_size
    atomic_write_json(work_dir / FILE, {"from": now, "to": now, "processes": world_size})


def choose_smaller_batch(cfg: Any, work_dir: Path, world_size: int) -> int | None:
    """Write ``batch.json``: at most half the images, and a divisor of the recipe's batch.

    Args:
        cfg: As it ran when memory ran out.
        work_dir: Folder of the run; its checkpoints are moved to ``larger_batch``.
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
        (work_dir / LARGER_BATCH).mkdir(exist_ok=True)
        with suppress(FileNotFoundError):  # another process of the run moved it
            checkpoint.replace(work_dir / LARGER_BATCH / checkpoint.name)
    return fitting[-1]


def _accumulate(cfg: Any, count: int) -> None:
    """Accumulate over ``count`` iterations, and rescale all settings that count iterations."""
    stated = accumulated(cfg)
    if count == stated:
        return
    cfg.optim_wrapper.accumulative_counts = count
    ratio = Fraction(count, stated)
    schedulers = cfg.get("param_scheduler") or []
    for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers:
        if not scheduler.get("by_epoch", True):
            _rescale(scheduler, COUNTED, ratio)
    if "max_iters" in cfg.train_cfg:
        _rescale(cfg.train_cfg, ("max_iters", "val_interval", "val_begin"), ratio)
        checkpoint = cfg.get("default_hooks", {}).get("checkpoint", {})
        if not checkpoint.get("by_epoch", True):
            _rescale(checkpoint, ("interval",), ratio)


def _rescale(node: Any, keys: tuple[str, ...], ratio: Fraction) -> None:
    for key in keys:
        if key in node:
            value = node[key]
            many = isinstance(value, (list, tuple))
            node[key] = [int(step * ratio) for step in value] if many else int(value * ratio)


def _state_base(cfg: Any, world_size: int) -> None:
    """State the batch of an optimiser step if the config leaves it to the data loader."""
    if cfg.get("auto_scale_lr", {}).get("base_batch_size") is None:
        base = cfg.train_dataloader.batch_size * world_size * accumulated(cfg)
        cfg.auto_scale_lr = {"enable": False, "base_batch_size": base}
