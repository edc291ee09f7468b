"""Models, inputs and optimisers of the sections, from the project's own configs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from benchmarks import sparse

FULL = {"Swin-B": "simmim/swin-b_8xb128.py", "ViT-B": "simmim/vit-b_8xb128.py"}
SMALL = {
    "Swin of the demo": "demo/simmim_swin-demo.py",
    "ViT of the demo": "variants/simmim_vit-demo.py",
}
RATIO = 0.6


def names(small: bool) -> dict[str, str]:
    """Config below ``configs/`` by the name of the model."""
    return SMALL if small else FULL


def on_gpu() -> bool:
    """Whether there is a GPU."""
    import torch

    return torch.cuda.is_available()


def device() -> str:
    """The GPU, or the CPU without one."""
    return "cuda" if on_gpu() else "cpu"


def synchronise() -> None:
    """Wait for the GPU."""
    import torch

    if on_gpu():
        torch.cuda.synchronize()


@cache
def ready() -> None:
    """Prepare this process as for a training; TF32 is off until a section allows it."""
    from simmim_bench.training.history import LazyMessageHub
    from simmim_bench.training.process import prepare
    from simmim_bench.training.runner import allow_tf32

    prepare("none", "mmpretrain")
    allow_tf32({})
    LazyMessageHub.install("mmengine")  # the name that mmengine takes where no runner is


def config_of(file: str) -> Any:
    """A config of the project, one iteration a step."""
    from simmim_bench.config import load_config

    ready()
    cfg = load_config(str(sparse.ROOT / "configs" / file))
    cfg.optim_wrapper.pop("accumulative_counts", None)
    return cfg


def model_of(cfg: Any, seed: int = 0, *, fast: bool = True) -> Any:
    """The model of a config on the device, with the same random weights at each call.

    Args:
        cfg: Config.
        seed: Of the weights.
        fast: Whether its attention is the fast one, as in a training.
    """
    import torch
    from mmengine.registry import DefaultScope

    from simmim_bench.backbones.fast_attention import speed_up
    from simmim_bench.registry import MODELS

    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        model = MODELS.build(cfg.model.to_dict())
    model.init_weights()
    if fast:
        speed_up(model)
    return model.to(device()).train()


def batch_of(model: Any, cfg: Any, images: int) -> tuple[Any, list[Any]]:
    """Normalised random images on the device, and samples with their masks."""
    inputs, samples = sparse.batch(images, cfg.pretraining.image_size, model.mask_size, RATIO)
    return inputs.to(device()), samples


def wrapper_of(cfg: Any, model: Any, precision: str, *, fused: bool = True) -> Any:
    """Optimiser wrapper of a config in a precision; ``fused``: as a training builds it."""
    from mmengine.optim import build_optim_wrapper

    from simmim_bench.training.adapt import set_precision
    from simmim_bench.training.history import log_without_waiting
    from simmim_bench.training.optim import use_fused_kernel

    set_precision(cfg, SimpleNamespace(precision=precision))
    given = use_fused_kernel(cfg.optim_wrapper) if fused else cfg.optim_wrapper
    wrapper = build_optim_wrapper(model, given)
    log_without_waiting(wrapper)
    return wrapper


def step_of(model: Any, wrapper: Any, inputs: Any, samples: Any) -> Callable[[], Any]:
    """One optimiser step; returns the loss as a tensor."""

    def step() -> Any:
        with wrapper.optim_context(model):
            loss = model(inputs, samples, mode="loss")["loss"]
        wrapper.update_params(loss)
        return loss.detach()

    return step


def seconds_of(step: Callable[[], object], *, warm_up: int, at_least: float) -> float:
    """Mean seconds of a step, repeated for ``at_least`` seconds; waits for the GPU at both ends."""
    for _ in range(warm_up):
        step()
    synchronise()
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < at_least:
        step()
        count += 1
        if count % 4 == 0:
            synchronise()  # else a fast CPU queues steps far beyond the time
    synchronise()
    return (time.perf_counter() - start) / count


def plain_runner(model: Any, wrapper: Any = None) -> Any:
    """What hooks read of a runner."""
    quiet = SimpleNamespace(info=lambda _: None)
    return SimpleNamespace(model=model, optim_wrapper=wrapper, hooks=[], world_size=1, logger=quiet)
