"""Fully sharded data parallelism: each process holds a share of weights, gradients and moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseAveragedModel, is_model_wrapper
from mmpretrain.models.backbones import VisionTransformer
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

from simmim_bench.errors import BenchError
from simmim_bench.models.features import OwnFeatures
from simmim_bench.models.sparse_simmim import SparseSimMIM
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


# Trade time for memory, or compile; the mathematics stays.


@HOOKS.register_module()
class SpeedHook(Hook):
    """Change how the backbone computes, before the first step.

    Args:
        recompute: Keep no activations inside blocks of the backbone, compute them again in the
            backward pass (activation checkpointing), with the same random numbers.
        compiled: ``torch.compile`` the backbone.
    """

    priority = "HIGH"

    def __init__(self, *, recompute: bool = False, compiled: bool = False) -> None:
        self.recompute = recompute
        self.compiled = compiled

    def before_train(self, runner: Any) -> None:
        """Do it.

        Raises:
            BenchError: If the backbone has no blocks, or they cannot be computed again.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if self.recompute:
            refuse_recomputed(model)
            blocks = repeated_blocks(model.backbone)
            if not blocks:
                raise BenchError(
                    f"--recompute: {type(model.backbone).__name__} has no repeated blocks; leave "
                    f"it out"
                )
            for block in blocks.values():
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)
            runner.logger.info(f"activations of {len(blocks)} blocks are computed again")
        if self.compiled:
            model.backbone.compile()
            runner.logger.info("the backbone is compiled; its first steps take minutes")


# Trainings that would compute something else, or fail, if they were sharded or recomputed.


def refuse_sharded(model: nn.Module) -> None:
    """Refuse ``--fsdp`` where parameters are read past the modules that hold them.

    Raises:
        BenchError: If a moving average follows them, or they count as constants for a while.
    """
    for module in model.modules():
        if isinstance(module, BaseAveragedModel):
            raise BenchError(
                f"--fsdp: {type(module).__name__} averages whole parameters, which a sharded model "
                f"does not hold; train without it"
            )
    _refuse_constants(model, "--fsdp")


def refuse_recomputed(model: nn.Module) -> None:
    """Refuse ``--recompute`` where blocks are other ones in the forward than in the backward pass.

    Raises:
        BenchError: If blocks see visible tokens alone, or constant weights, for a while.
    """
    if isinstance(model, SparseSimMIM) and type(model.backbone) is not VisionTransformer:
        raise BenchError(
            f"--recompute: the blocks of a sparse {type(model.backbone).__name__} know the mask in "
            f"the forward pass alone; train without it"
        )
    _refuse_constants(model, "--recompute")


def _refuse_constants(model: nn.Module, flag: str) -> None:
    if any(isinstance(module, OwnFeatures) and not module.learn for module in model.modules()):
        raise BenchError(
            f"{flag}: OwnFeatures(learn=False) takes the encoder's weights as constants, which "
            f"they would not stay; train without it, or with FrozenFeatures"
        )


# The repeated blocks of a backbone: units to shard and to compute again in the backward pass.


def repeated_blocks(module: nn.Module) -> dict[str, nn.Module]:
    """Blocks by dotted name: siblings of one class in a list or sequence, the innermost such.

    In Swin and ViT these are transformer blocks, in ResNet and ConvNeXt residual blocks; single
    layers (a convolution, a matrix) are none.
    """
    found: dict[str, nn.Module] = {}
    for name, container in module.named_modules():
        if not isinstance(container, nn.ModuleList | nn.Sequential):
            continue
        children = {key: child for key, child in container.named_children() if _composed(child)}
        classes = Counter(type(child) for child in children.values())
        for key, child in children.items():
            if classes[type(child)] > 1:
                found[f"{name}.{key}" if name else key] = child
    return {
        name: block
        for name, block in found.items()
        if not any(other.startswith(f"{name}.") for other in found)
    }


def _composed(module: nn.Module) -> bool:
    inner = any(True for _ in module.children())
    return inner and any(True for _ in module.parameters())
