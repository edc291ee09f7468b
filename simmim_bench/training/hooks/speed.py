"""``--fsdp``, ``--recompute`` and ``--compile``: less memory or time for the same training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseAveragedModel
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_map
from torch.utils.checkpoint import checkpoint

from simmim_bench.errors import BenchError
from simmim_bench.models.features import OwnFeatures
from simmim_bench.models.sparse_simmim import SparseSimMIM
from simmim_bench.registry import HOOKS
from simmim_bench.training.runner import model_of

POLICY = MixedPrecisionPolicy(
    param_dtype=None, reduce_dtype=torch.float32, output_dtype=None, cast_forward_inputs=False
)
"""Weights, moments and buffers are float32, also where they are gathered, and so is the sum of
gradients: autocast chooses the precision of each operation, as with DDP, and not FSDP that of whole
modules. Norms, tables of position biases and validation would else be rounded to bfloat16."""


@HOOKS.register_module()
class FullyShardHook(Hook):
    """Shard weights, gradients and moments over the processes (PyTorch's ``fully_shard``, FSDP2).

    Each block of the backbone is gathered when it computes, the rest with the whole model. Weights
    are loaded, and a run is resumed, before the model is sharded, so each process must be able to
    hold the whole model. Checkpoints hold whole tensors and do not depend on the number of
    processes. While gradients are accumulated, each process holds those of the whole model, and
    they are summed over the processes once per optimiser step.
    """

    priority = "HIGH"  # after pretrained weights are loaded, before other hooks use the model

    def __init__(self) -> None:
        self.whole: dict[str, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Shard the model and the state of the optimizer.

        Raises:
            BenchError: If a sharded model would give another result.
        """
        refuse_sharded(runner.model)
        refuse_sharded_hooks(runner.hooks)
        old = {id(value): name for name, value in runner.model.named_parameters()}
        for block in repeated_blocks(runner.model.backbone).values():
            fully_shard(block, mp_policy=POLICY)
        fully_shard(runner.model, mp_policy=POLICY)
        _use_sharded(runner.optim_wrapper.optimizer, old, dict(runner.model.named_parameters()))
        runner.gather_whole = self.gather
        units = sum(isinstance(module, FSDPModule) for module in runner.model.modules())
        runner.logger.info(f"{units} parts of the model are sharded over {runner.world_size}")

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Sum gradients over the processes only in the last iteration before an optimiser step."""
        runner.model.set_requires_gradient_sync(runner.optim_wrapper.should_sync())

    def gather(self, runner: Any) -> None:
        """Gather weights and optimizer state; all processes must call it."""
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        self.whole = {
            "state_dict": get_model_state_dict(runner.model, options=options),
            "optimizer": tree_map(_whole, runner.optim_wrapper.state_dict()),
        }

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the gathered tensors into the checkpoint."""
        checkpoint["state_dict"] = self.whole["state_dict"]
        if "optimizer" in checkpoint:
            checkpoint["optimizer"] = self.whole["optimizer"]
        self.whole = {}


@contextmanager
def unsharded(model: nn.Module) -> Iterator[None]:
    """Gather the whole model in every process for a while; does nothing if it is not sharded."""
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


def _use_sharded(
    optimizer: torch.optim.Optimizer, old: dict[int, str], new: dict[str, nn.Parameter]
) -> None:
    """Replace the whole parameters of an optimizer by the sharded ones."""
    for group in optimizer.param_groups:
        group["params"] = [new[old[id(value)]] for value in group["params"]]
    states = dict(optimizer.state)
    optimizer.state.clear()
    for value, state in states.items():
        sharded = new[old[id(value)]]
        optimizer.state[sharded] = {
            key: _sharded_like(kept, sharded) for key, kept in state.items()
        }


def _sharded_like(state: Any, sharded: nn.Parameter) -> Any:
    """A moment of a parameter, sharded like the parameter; step counters stay as they are."""
    if isinstance(state, torch.Tensor) and state.shape == sharded.shape and state.dim():
        return distribute_tensor(state, sharded.device_mesh, sharded.placements)
    return state


def _whole(value: Any) -> Any:
    return value.full_tensor().cpu() if isinstance(value, DTensor) else value


@HOOKS.register_module()
class SpeedHook(Hook):
    """Recompute activations or compile the backbone; the result is the same.

    Args:
        recompute: Do not store the activations inside blocks of the backbone; recompute them in
            the backward pass with the same random numbers (activation checkpointing).
        compiled: ``torch.compile`` the backbone.
    """

    priority = "HIGH"

    def __init__(self, *, recompute: bool = False, compiled: bool = False) -> None:
        self.recompute = recompute
        self.compiled = compiled

    def before_train(self, runner: Any) -> None:
        """Change the backbone before the first step.

        Raises:
            BenchError: If the backbone has no blocks, or they cannot be recomputed.
        """
        model = model_of(runner)
        if self.recompute:
            refuse_recomputed(model)
            blocks = repeated_blocks(model.backbone)
            if not blocks:
                raise BenchError(
                    f"--recompute does not support {type(model.backbone).__name__}, which has no "
                    f"repeated blocks; leave it out"
                )
            for block in blocks.values():
                block.forward = partial(
                    checkpoint, block.forward, use_reentrant=False, **_kept_statistics(block)
                )
            runner.logger.info(
                f"activations of {len(blocks)} blocks are recomputed in the backward pass"
            )
        if self.compiled:
            # Masks are hooks that come and go: a graph without them must not serve calls with them.
            torch._dynamo.config.skip_nnmodule_hook_guards = False
            model.backbone.compile()
            runner.logger.info("the backbone is compiled; the first steps take minutes")


def _kept_statistics(block: nn.Module) -> dict[str, Any]:
    """Option of ``checkpoint``: batch norm counts a batch once, not again as it is recomputed."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    @contextmanager
    def once() -> Iterator[None]:
        before = [norm.momentum for norm in norms]
        counts = [norm.num_batches_tracked for norm in norms if norm.training]
        for norm in norms:
            norm.momentum = 0.0  # the statistics stay
        try:
            yield
        finally:
            for norm, momentum in zip(norms, before, strict=True):
                norm.momentum = momentum
            for count in counts:
                if count is not None:
                    count.sub_(1)

    return {"context_fn": lambda: (nullcontext(), once())} if norms else {}


def refuse_sharded(model: nn.Module) -> None:
    """Refuse ``--fsdp`` for models that read parameters outside the forward pass of their module.

    Raises:
        BenchError: If the model has a moving average, or features with constant weights.
    """
    if getattr(model, "caches_features", False):
        raise BenchError(
            f"--fsdp does not support {type(model).__name__}, which trains a head on frozen "
            f"features; leave out --fsdp"
        )
    for module in model.modules():
        if isinstance(module, BaseAveragedModel):
            raise BenchError(
                f"--fsdp does not support {type(module).__name__}, which averages whole "
                f"parameters; leave out --fsdp"
            )
    _refuse_constants(model, "--fsdp")


def refuse_sharded_hooks(hooks: Iterable[Hook]) -> None:
    """Refuse ``--fsdp`` beside hooks that average the weights of a run.

    The hooks themselves are asked, wherever a config or the command line named them.

    Raises:
        BenchError: Names the hook.
    """
    for hook in hooks:
        averages = (isinstance(part, BaseAveragedModel) for part in vars(hook).values())
        if isinstance(hook, EMAHook) or any(averages):
            raise BenchError(
                f"--fsdp does not support {type(hook).__name__}, which averages whole parameters; "
                f"leave out --fsdp, or the hook"
            )


def refuse_recomputed(model: nn.Module) -> None:
    """Refuse ``--recompute`` for blocks that compute something else in the backward pass.

    Raises:
        BenchError: If blocks depend on the mask of the forward pass, or on constant weights.
    """
    encoder = model.adapter.visible_encoder if isinstance(model, SparseSimMIM) else None
    if encoder is not None and encoder.blocks_need_mask:
        raise BenchError(
            f"--recompute does not support a sparse {type(model.backbone).__name__}, whose blocks "
            f"need the mask of the forward pass; leave out --recompute"
        )
    _refuse_constants(model, "--recompute")


def _refuse_constants(model: nn.Module, flag: str) -> None:
    if any(isinstance(module, OwnFeatures) and not module.learn for module in model.modules()):
        raise BenchError(
            f"{flag} does not support OwnFeatures(learn=False), whose weights must be constant; "
            f"leave out {flag}, or use FrozenFeatures"
        )


def repeated_blocks(module: nn.Module) -> dict[str, nn.Module]:
    """The units to shard or to recompute, by dotted name.

    They are the innermost siblings of one class in a ``ModuleList`` or ``Sequential``: transformer
    blocks in Swin and ViT, residual blocks in ResNet and ConvNeXt. Single layers do not count.
    """
    found: dict[str, nn.Module] = {}
    for name, container in module.named_modules():
        if not isinstance(container, nn.ModuleList | nn.Sequential):
            continue
        children = {key: child for key, child in container.named_children() if _has_layers(child)}
        classes = Counter(type(child) for child in children.values())
        for key, child in children.items():
            if classes[type(child)] > 1:
                found[f"{name}.{key}" if name else key] = child
    return {
        name: block
        for name, block in found.items()
        if not any(other.startswith(f"{name}.") for other in found)
    }


def _has_layers(module: nn.Module) -> bool:
    inner = any(True for _ in module.children())
    return inner and any(True for _ in module.parameters())
