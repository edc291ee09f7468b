"""Fully sharded data parallelism: each process holds a share of weights, gradients and moments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.hooks import Hook
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map

from simmim_bench.engine.blocks import repeated_blocks
from simmim_bench.engine.restrictions import refuse_sharded
from simmim_bench.registry import HOOKS


@HOOKS.register_module()
class FullyShardHook(Hook):
    """Shard a run with PyTorch's ``fully_shard`` (FSDP2); checkpoints hold whole tensors.

    Each block of the backbone is gathered when it computes, the rest with the whole model. Weights
    are loaded, and a run is resumed, before anything is sharded, so each process must hold the
    model once. What is saved does not depend on the number of processes.
    """

    priority = "HIGH"  # after pretrained weights, before all that looks at the model

    def __init__(self) -> None:
        self.whole: dict[str, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Shard the model, and the optimizer's state with it.

        Raises:
            BenchError: If the model would then compute something else.
        """
        refuse_sharded(runner.model)
        old = {id(value): name for name, value in runner.model.named_parameters()}
        for block in repeated_blocks(runner.model.backbone).values():
            fully_shard(block)
        fully_shard(runner.model)
        _follow(runner.optim_wrapper.optimizer, old, dict(runner.model.named_parameters()))
        runner.gather_whole = self.gather
        units = sum(isinstance(module, FSDPModule) for module in runner.model.modules())
        runner.logger.info(f"{units} parts of the model are sharded over {runner.world_size}")

    def gather(self, runner: Any) -> None:
        """Collect weights and optimizer state; every process takes part."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        self.whole = {
            "state_dict": get_model_state_dict(runner.model, options=options),
            "optimizer": tree_map(_whole, runner.optim_wrapper.state_dict()),
        }

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save what was gathered."""
        checkpoint["state_dict"] = self.whole["state_dict"]
        if "optimizer" in checkpoint:
            checkpoint["optimizer"] = self.whole["optimizer"]
        self.whole = {}


@contextmanager
def unsharded(model: nn.Module) -> Iterator[None]:
    """Let every process hold the whole model for a while; nothing where it is not sharded."""
    parts = [module for module in model.modules() if isinstance(module, FSDPModule)]
    for part in parts:
        part.unshard()
    try:
        yield
    finally:
        for part in parts:
            part.reshard()


def is_sharded(model: nn.Module) -> bool:
    """Whether ``fully_shard`` was applied to a model."""
    return isinstance(model, FSDPModule)


def _follow(
    optimizer: torch.optim.Optimizer, old: dict[int, str], new: dict[str, nn.Parameter]
) -> None:
    """Let an optimizer hold the sharded parameters in the place of the whole ones."""
    for group in optimizer.param_groups:
        group["params"] = [new[old[id(value)]] for value in group["params"]]
    states = dict(optimizer.state)
    optimizer.state.clear()
    for value, state in states.items():
        sharded = new[old[id(value)]]
        optimizer.state[sharded] = {key: _like(kept, sharded) for key, kept in state.items()}


def _like(state: Any, sharded: nn.Parameter) -> Any:
    """A moment of a parameter, sharded as the parameter; step counters stay."""
    if isinstance(state, torch.Tensor) and state.shape == sharded.shape and state.dim():
        return distribute_tensor(state, sharded.device_mesh, sharded.placements)
    return state


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value
