"""What a training step of a config needs, counted from its model without computing it.

The model is built on the CPU and run on fake tensors, which have shapes, dtypes and storages but no
values: a model of 658 million parameters is counted in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True)
class Counted:
    """Needs of a training step of one image.

    Attributes:
        flops: Operations of forward and backward pass; nothing is recomputed.
        saved: Bytes that are kept for the backward pass, in mixed precision with bfloat16.
        saved_recomputed: The same with ``--recompute``.
        kernels: Calls that compute something, views left out; each starts a kernel or two.
        parameters: Number of weights.
        largest_block: Parameters of the largest block, which FSDP gathers at once.
        image_size: Side in pixels.
        epochs: Of the recipe.
        batch: Images of an optimiser step.
    """

    flops: int
    saved: int
    saved_recomputed: int
    kernels: int
    parameters: int
    largest_block: int
    image_size: int
    epochs: int
    batch: int


@cache
def count(file: str) -> Counted:
    """Count a pretraining config.

    Args:
        file: Path below ``configs/``.
    """
    from simmim_bench.config import load_config
    from simmim_bench.training.hooks.speed import repeated_blocks
    from simmim_bench.training.process import prepare

    prepare("none", "mmpretrain")
    cfg = load_config(str(CONFIGS / file))
    cfg.model.backbone.pop("with_cp", None)  # it is added where it is wanted
    model = _build(cfg.model.to_dict())
    size = int(cfg.pretraining.image_size)
    blocks = repeated_blocks(model.backbone).values()
    parameters = [sum(value.numel() for value in block.parameters()) for block in blocks]
    flops, kernels, saved = _step(model, size)
    return Counted(
        flops=flops,
        saved=saved,
        saved_recomputed=_saved(_recomputed(model), size),
        kernels=kernels,
        parameters=sum(value.numel() for value in model.parameters()),
        largest_block=max(parameters),
        image_size=size,
        epochs=int(cfg.pretraining.epochs),
        batch=int(cfg.auto_scale_lr.base_batch_size),
    )


def _build(config: dict[str, Any]) -> Any:
    """The model in training mode; its parameters and buffers are fake."""
    from mmengine.registry import DefaultScope
    from torch import nn
    from torch._subclasses.fake_tensor import FakeTensorMode

    from simmim_bench.registry import MODELS

    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(config)
    model.fake = FakeTensorMode(allow_non_fake_inputs=True)
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = nn.Parameter(model.fake.from_tensor(value.detach()))
        for name, value in module._buffers.items():
            if value is not None:
                module._buffers[name] = model.fake.from_tensor(value)
    return model.train()


def _recomputed(model: Any) -> Any:
    from types import SimpleNamespace

    from simmim_bench.training.hooks.speed import SpeedHook

    quiet = SimpleNamespace(info=lambda _: None)
    SpeedHook(recompute=True).before_train(SimpleNamespace(model=model, logger=quiet))
    return model


def _step(model: Any, size: int) -> tuple[int, int, int]:
    """Operations and calls of a step of one image, and the bytes that one more image keeps."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from simmim_bench.training.cost import counted_flops

    class Calls(TorchDispatchMode):
        """Counts calls whose result has memory of its own."""

        made = 0

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.made += func.namespace == "aten" and not func.is_view
            return func(*args, **(kwargs or {}))

    calls = Calls()

    def step() -> None:
        with calls:  # before the counter, which takes some calls apart
            _loss(model, size, 1).backward()

    with model.fake:
        flops = counted_flops(step)
    return flops, calls.made, _saved(model, size)


def _loss(model: Any, size: int, images: int) -> Any:
    import torch

    inputs = torch.zeros(images, 3, size, size)
    with torch.autocast("cpu", torch.bfloat16):
        return model(inputs, None, mode="loss")["loss"]


def _saved(model: Any, size: int) -> int:
    """Bytes that one more image keeps for the backward pass."""
    import torch

    kept = []
    for images in (1, 2):
        storages: dict[int, Any] = {}

        def keep(value: Any, storages: dict[int, Any] = storages) -> Any:
            storage = value.untyped_storage()
            storages[storage._cdata] = storage  # held, so that no other gets its address
            return value

        with model.fake, torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            _loss(model, size, images)
        kept.append(sum(storage.nbytes() for storage in storages.values()))
    return kept[1] - kept[0]
