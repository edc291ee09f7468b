"""Flags that any training takes to be faster or smaller: precision, recomputation, sharding."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

from simmim_bench.config import datasets
from simmim_bench.errors import BenchError

WRAPPERS = {
    "float32": "OptimWrapper",
    "bfloat16": "simmim_bench.Bfloat16OptimWrapper",
    "float16": "AmpOptimWrapper",
}


def speed_hooks(args: argparse.Namespace, cfg: Any, world_size: int) -> list[dict[str, Any]]:
    """Apply ``--precision`` to a config and give the hooks of the other flags.

    Args:
        args: Namespace of ``tools/train.py``.
        cfg: Config of the run; changed in place.
        world_size: Processes of the run.

    Raises:
        BenchError: If flags do not go together.
    """
    if args.fsdp and world_size == 1:
        raise BenchError(
            "--fsdp shards a model over processes and there is one; start them with "
            "tools/dist_train.sh CONFIG GPUS --fsdp"
        )
    if args.fsdp and args.precision == "float16":
        raise BenchError("--fsdp goes with --precision bfloat16 or float32, float16 was given")
    if args.precision is not None:
        _set_precision(cfg, args.precision)
    hooks = []
    if args.recompute or args.compile:
        flags = {"recompute": args.recompute, "compiled": args.compile}
        hooks.append({"type": "simmim_bench.SpeedHook", **flags})
    if args.fsdp:
        cfg.fsdp = True
        hooks.append({"type": "simmim_bench.FullyShardHook"})
    return hooks


def _set_precision(cfg: Any, precision: str) -> None:
    import torch

    if precision == "float16" and not torch.cuda.is_available():
        raise BenchError("--precision float16 needs a GPU and there is none; try bfloat16")
    cfg.optim_wrapper.type = WRAPPERS[precision]
    cfg.optim_wrapper.pop("dtype", None)


def deviation(args: argparse.Namespace, cfg: Any) -> list[str]:
    """What a record says of a precision that is not the recipe's."""
    stated = cfg.optim_wrapper.get("type", "OptimWrapper")
    recipe = {wrapper: name for name, wrapper in WRAPPERS.items()}.get(stated, stated)
    if args.precision in (None, recipe):
        return []
    return [f"precision {args.precision} instead of {recipe}"]


def _seed_samples(cfg: Any, seed: int) -> None:
    """Let the run's seed decide augmentations, and masks where the config does not."""
    for loader, dataset in datasets(cfg):
        if loader == "train_dataloader":
            dataset.pipeline = [
                {"type": "simmim_bench.SeedSample", "seed": seed},
                *dataset.pipeline,
            ]
        for transform in dataset.get("pipeline", []):
            if transform["type"] == "simmim_bench.GenerateMask":
                transform.setdefault("seed", seed)


def adapt_to_cpu(cfg: Any) -> None:
    """What mmengine assumes of a GPU and a machine without one lacks.

    Distributed training gets no device ids, and synchronised batch norm, which has no CPU
    kernel, becomes batch norm.
    """
    cfg.model_wrapper_cfg = {
        "type": "mmengine.MMDistributedDataParallel",
        "device_ids": None,
        "broadcast_buffers": False,
        "find_unused_parameters": cfg.get("find_unused_parameters", False),
    }
    _replace_sync_bn(cfg.model)


def _replace_sync_bn(node: Any) -> None:
    if isinstance(node, (list, tuple)):
        for child in node:
            _replace_sync_bn(child)
    elif hasattr(node, "items"):
        for key, child in node.items():
            if key == "type" and child == "SyncBN":
                node[key] = "BN"
            else:
                _replace_sync_bn(child)


# Send scalars and pictures of a run to a tracker as well, through mmengine's back ends.


TRACKERS = {
    "tensorboard": "mmengine.TensorboardVisBackend",
    "wandb": "mmengine.WandbVisBackend",
    "mlflow": "mmengine.MLflowVisBackend",
}
"""Back ends by the name of the package that each needs."""


def log_to(cfg: Any, names: Sequence[str]) -> None:
    """Add the back ends ``names`` to the visualizer of ``cfg``.

    Raises:
        BenchError: If a package is not installed.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise BenchError(
                f"--log-to {name} needs the package {name}; install it with `pip install {name}`"
            )
        cfg.visualizer.vis_backends.append({"type": TRACKERS[name]})


def has_tracker(cfg: Any) -> bool:
    """Whether anything but files in the work dir receives the scalars and pictures."""
    backends = cfg.visualizer.get("vis_backends") or []
    return any(not backend["type"].endswith("LocalVisBackend") for backend in backends)
