"""Keep a recipe's effective batch on another number of devices.

A config is written for ``auto_scale_lr.base_batch_size`` images per optimiser step
(``8xb128`` = 1024). With fewer devices gradients are accumulated over several iterations, with more
each has fewer images; ``--auto-scale-lr`` changes the learning rate by the linear scaling rule
instead.
"""

from __future__ import annotations

from typing import Any

from simmim_bench.errors import BenchError

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
