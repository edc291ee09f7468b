"""Sections 6 to 8: accumulated gradients, recomputation and compilation, one process of NCCL."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.models import (
    batch_of,
    config_of,
    device,
    model_of,
    names,
    on_gpu,
    plain_runner,
    step_of,
    wrapper_of,
)
from benchmarks.gpu.section import Found

STEPS = 5
CHANGES = ({"recompute": True}, {"compiled": True}, {"recompute": True, "compiled": True})
CLIP = 0.1
"""Below the first gradients' norm, so that clipping acts."""


def accumulation(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """Four batches whose gradients are accumulated, against one of their size, with clipping."""
    import torch
    from mmengine.optim import OptimWrapper

    part = 2 if small else 32
    for name, file in names(small).items():
        cfg = config_of(file)
        cfg.model.backbone.drop_path_rate = 0.0
        model = model_of(cfg)
        inputs, samples = batch_of(model, cfg, 4 * part)
        before = _flat(model)
        updates, norms = [], []
        for count in (1, 4):
            trained = copy.deepcopy(model)
            wrapper = OptimWrapper(
                torch.optim.SGD(trained.parameters(), lr=1.0),
                accumulative_counts=count,
                clip_grad={"max_norm": CLIP},
            )
            size = len(inputs) // count
            for start in range(0, len(inputs), size):
                here = slice(start, start + size)
                step_of(trained, wrapper, inputs[here], samples[here])()
            updates.append(_flat(trained) - before)
            norms.append(updates[-1].norm().item())
        error = ((updates[0] - updates[1]).norm() / updates[0].norm()).item()
        yield Found(f"{name}: 4 x {part} against {4 * part}, relative error", error, bound=1e-4)
        clipped = max(abs(norm - CLIP) / CLIP for norm in norms)
        yield Found(f"{name}: norm of the clipped gradient, relative error", clipped, bound=1e-3)


def _flat(model: Any) -> Any:
    import torch

    return torch.cat([value.detach().double().flatten() for value in model.parameters()])


def recomputation(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """``--recompute``, ``--compile`` and both: losses, memory, graphs, graphs made again."""
    from simmim_bench.training.hooks.speed import SpeedHook

    chosen = list(names(small).items())
    for name, file in chosen[:1] if small else chosen:  # compilers of CPUs take minutes
        plain, memory = _losses(file, small, None)
        if memory:
            yield Found(f"{name}: peak memory", memory, "MB")
        for flags in (
            {"recompute": True},
            {"compiled": True},
            {"recompute": True, "compiled": True},
        ):
            hook = SpeedHook(**flags)
            counted = _Graphs()
            losses, memory = _losses(file, small, hook, counted)
            what = f"{name}, {' and '.join(flags)}"
            worst = max(abs(one - two) / two for one, two in zip(losses, plain, strict=True))
            bound = 1e-4 if "compiled" in flags else 1e-6
            yield Found(f"{what}: loss over {STEPS} steps, relative error", worst, bound=bound)
            if memory:
                yield Found(f"{what}: peak memory", memory, "MB")
            if "compiled" in flags:
                yield Found(f"{what}: graphs", float(counted.first))
                yield Found(f"{what}: graph breaks", float(counted.breaks), bound=0)
                yield Found(f"{what}: graphs made after step 1", float(counted.later), bound=0)


class _Graphs:
    """Graphs that torch.compile made: in the first step, later, and where it broke them."""

    def __init__(self) -> None:
        import torch

        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        self.first = self.later = 0

    def count(self, step: int) -> None:
        """Read the counters after a step."""
        from torch._dynamo.utils import counters

        made = counters["stats"]["unique_graphs"]
        self.breaks = sum(counters["graph_break"].values())
        self.first, self.later = (made, 0) if step == 0 else (self.first, made - self.first)


def _losses(
    file: str, small: bool, hook: Any, graphs: _Graphs | None = None
) -> tuple[list[float], float]:
    """Loss of each step in float32, and peak MB on a GPU; the images are the same at each call."""
    import torch

    cfg = config_of(file)
    model = model_of(cfg)
    if hook is not None:
        hook.before_train(plain_runner(model))
    step = step_of(
        model, wrapper_of(cfg, model, "float32"), *batch_of(model, cfg, 4 if small else 64)
    )
    if on_gpu():
        torch.cuda.reset_peak_memory_stats()
    losses = []
    for number in range(STEPS):
        torch.manual_seed(number)  # drop path
        losses.append(step().item())
        if graphs is not None:
            graphs.count(number)
    return losses, torch.cuda.max_memory_allocated() / 2**20 if on_gpu() else 0.0


def processes(small: bool, folder: Path) -> Iterator[Found]:
    """One process with NCCL (gloo on a CPU): DDP, FSDP, and its whole checkpoint resumed."""
    import torch
    import torch.distributed as dist

    from simmim_bench.training.hooks.speed import FullyShardHook

    if on_gpu():
        torch.cuda.set_device(0)
    backend = "nccl" if on_gpu() else "gloo"
    store = dist.FileStore(str(folder / "store"), 1)
    dist.init_process_group(backend, store=store, rank=0, world_size=1)
    yield Found("backend", backend)
    file = next(iter(names(small).values()))
    cfg = config_of(file)
    cfg.model.backbone.drop_path_rate = 0.0
    plain, wrapper = _with_wrapper(cfg)
    batch = batch_of(plain, cfg, 4 if small else 32)
    wanted = [step_of(plain, wrapper, *batch)().item() for _ in range(STEPS)]

    model, wrapper = _with_wrapper(cfg)
    ids = [0] if on_gpu() else None
    replicated = torch.nn.parallel.DistributedDataParallel(model, device_ids=ids)
    found = [step_of(replicated, wrapper, *batch)().item() for _ in range(STEPS)]
    yield Found("DDP: loss, relative error", _worst(found, wanted), bound=1e-4)

    model, wrapper = _with_wrapper(cfg)
    hook, runner = FullyShardHook(), plain_runner(model, wrapper)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    step = step_of(model, wrapper, *batch)
    found = [step().item() for _ in range(STEPS - 2)]
    yield Found("FSDP: loss, relative error", _worst(found, wanted[: len(found)]), bound=1e-4)
    hook.gather(runner)

    torch.save(hook.whole, folder / "whole.pth")
    saved = torch.load(folder / "whole.pth", weights_only=True, map_location=device())
    model, wrapper = _with_wrapper(cfg)
    model.load_state_dict(saved["state_dict"], strict=True)
    wrapper.load_state_dict(saved["optimizer"])
    found = [step_of(model, wrapper, *batch)().item() for _ in range(2)]
    yield Found(
        "whole checkpoint resumed: loss, relative error", _worst(found, wanted[-2:]), bound=1e-4
    )
    dist.destroy_process_group()


def _with_wrapper(cfg: Any) -> tuple[Any, Any]:
    model = model_of(cfg)
    return model, wrapper_of(cfg, model, "float32")


def _worst(found: list[float], wanted: list[float]) -> float:
    if not all(map(math.isfinite, found)):
        return math.inf
    return max(abs(one - two) / two for one, two in zip(found, wanted, strict=True))
