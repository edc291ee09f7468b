"""Flags that any training takes to be faster or smaller: precision, recomputation, sharding."""

from __future__ import annotations

import argparse
from typing import Any

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
