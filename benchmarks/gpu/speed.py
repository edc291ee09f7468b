"""Sections 10 to 12: what a step waits for, images a second, the loader before it."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import counting, planning
from benchmarks.gpu import models
from benchmarks.gpu.section import Found
from benchmarks.gpu.trainings import command, finished
from benchmarks.speed.pipelines import write_photographs

PROFILED = 10
FAST = {"fast": True, "fused": True}
"""Attention, and AdamW, as in a training."""
WITHOUT = {
    "mmpretrain's attention": {"fast": False},
    "AdamW by default": {"fused": False},
}
CHANGES = {"compiled": {"compiled": True}, "recomputed": {"recompute": True}}
PEER = {
    "type": "mmpretrain.SimMIM",
    "backbone": {
        "type": "mmpretrain.SimMIMSwinTransformer",
        "arch": "base",
        "img_size": 192,
        "stage_cfgs": {"block_cfgs": {"window_size": 6}},
        "drop_path_rate": 0.0,
    },
    "neck": {"type": "mmpretrain.SimMIMLinearDecoder", "in_channels": 1024, "encoder_stride": 32},
    "head": {
        "type": "mmpretrain.SimMIMHead",
        "patch_size": 4,
        "loss": {"type": "mmpretrain.PixelReconstructionLoss", "criterion": "L1", "channel": 3},
    },
}
"""mmpretrain's configs/simmim/simmim_swin-base-w6_8xb256-amp-coslr-100e_in1k-192px.py, without its
drop path, which the original does not have."""
KINDS = {
    "communication": ("nccl",),
    "matrix products": ("gemm", "cutlass", "xmma", "nvjet", "cublas"),
    "attention": ("flash", "fmha", "attention", "softmax"),
    "norms": ("layer_norm", "layernorm"),
    "optimiser": ("adam", "multi_tensor"),
    "copies": ("memcpy", "copy", "cat", "roll", "index", "gather", "memset"),
    "element by element": ("elementwise", "reduce"),
}
"""Kind of a kernel by a part of its name; the first that fits."""


def profile(small: bool, folder: Path) -> Iterator[Found]:
    """Ten iterations of a training: synchronisations, copies, reads of single values."""
    batch, interval = (4, 20) if small else (64, 50)
    first = interval + 2  # between two lines of the log
    name = next(iter(models.names(small).values()))
    count = (first + PROFILED + 2) * batch
    photographs(folder / "train", count, 4 if small else 64)
    config = folder / "profiled.py"
    hook = {"type": "simmim_bench.ProfileHook", "out": str(folder / "counts.json"),
            "first": first, "steps": PROFILED}  # fmt: skip
    config.write_text(f'_base_ = ["simmim_bench::{name}"]\ncustom_hooks = [{hook!r}]\n')
    log = folder / "log"
    run = command(
        log, "train", config, "--work-dir", folder / "run", "--import", "benchmarks.gpu.hooks",
        "--data-root", folder, "--cfg-options", f"train_dataloader.batch_size={batch}",
        f"auto_scale_lr.base_batch_size={batch}", "train_dataloader.dataset.data_prefix=train",
        f"default_hooks.logger.interval={interval}",
        *([] if small else ["optim_wrapper.accumulative_counts=1"]),
    )  # fmt: skip
    finished(run, log)
    found = json.loads((folder / "counts.json").read_text())
    yield Found("synchronisations of an iteration", found["synchronisations"], bound=1)
    yield Found("copies from and to the device of an iteration", found["copies"], bound=4)
    yield Found("single values read in an iteration", found["items"])


def photographs(folder: Path, count: int, distinct: int) -> None:
    """Write full-size JPEGs, and links to them until there are ``count`` files."""
    files = write_photographs(folder, distinct)
    for number in range(distinct, count):
        (folder / f"{number:06d}.jpg").hardlink_to(files[number % distinct])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def throughput(small: bool, folder: Path) -> Iterator[Found]:  # noqa: ARG001
    """Images a second of training steps on random images that are on the device already."""
    from simmim_bench.training.runner import allow_tf32

    models.ready()
    allow_tf32({"tf32": True})  # as in the full-size recipes
    batches = (4, 8) if small else (128, 256, 512)
    changes = WITHOUT if small else WITHOUT | CHANGES
    for name, file in models.names(small).items():
        flops = counting.count(file).flops
        cases = [("float32", "", size) for size in (batches[0], batches[-1])]
        cases += [("bfloat16", "", size) for size in batches]
        cases += [("bfloat16", change, batches[1]) for change in changes]
        for precision, change, size in cases:
            what = ", ".join(filter(None, [name, precision, change, f"batch {size}"]))
            case = _case(file, precision, changes.get(change, {}), size)
            yield from _measured(what, flops, small, case)
        if not small:
            yield from _kernels(name, _case(file, "bfloat16", {}, batches[1]))
    if not small:
        yield from _peer(batches)


def _case(file: str, precision: str, change: dict[str, bool], size: int) -> Any:
    """Makes the step of a model of ours; called when the memory of the one before is free."""

    def make() -> tuple[Any, int]:
        from simmim_bench.training.hooks.speed import SpeedHook

        cfg = models.config_of(file)
        used = FAST | change
        model = models.model_of(cfg, fast=used.pop("fast"))
        wrapper = models.wrapper_of(cfg, model, precision, fused=used.pop("fused"))
        SpeedHook(**used).before_train(models.plain_runner(model))
        return models.step_of(model, wrapper, *models.batch_of(model, cfg, size)), size

    return make


def _measured(what: str, flops: float, small: bool, make: Any) -> Iterator[Found]:
    import torch

    if models.on_gpu():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        step, size = make()
        warm_up, at_least = (1, 0.0) if small else (4, 1.5)
        rate = size / models.seconds_of(step, warm_up=warm_up, at_least=at_least)
    except torch.OutOfMemoryError:
        yield Found(what, "out of memory")
        return
    yield Found(what, rate, "images/s")
    yield Found(f"{what}: useful", rate * flops / 1e12, "TFLOP/s")
    if models.on_gpu():
        peak = planning.peak_of(torch.cuda.get_device_name())
        if peak:
            yield Found(f"{what}: of the dense bfloat16 peak", rate * flops / peak)
        yield Found(f"{what}: memory", torch.cuda.max_memory_allocated() / 2**20, "MB")


def _kernels(name: str, make: Any) -> Iterator[Found]:
    """Shares of the kernels' time by kind, and the share of the step without any kernel."""
    import torch

    step, _ = make()
    for _ in range(3):
        step()
    models.synchronise()
    begin = time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiled:
        step()
        models.synchronise()
        seconds = time.perf_counter() - begin
    spent: dict[str, float] = defaultdict(float)
    for event in profiled.key_averages():
        spent[kind_of(event.key)] += event.self_device_time_total / 1e6
    total = sum(spent.values())
    yield Found(f"{name}, bfloat16: time without a kernel", max(0.0, 1 - total / seconds))
    for kind, time_spent in sorted(spent.items(), key=lambda item: -item[1]):
        yield Found(f"{name}, bfloat16: {kind}, of the kernels' time", time_spent / total)


def kind_of(kernel: str) -> str:
    """Kind of a kernel by its name."""
    lowered = kernel.lower()
    found = (kind for kind, parts in KINDS.items() if any(part in lowered for part in parts))
    return next(found, "other")


def _peer(batches: tuple[int, ...]) -> Iterator[Found]:
    """The Swin-B of mmpretrain under autocast to bfloat16 with its optimiser; the loss is ours."""
    import torch

    file = models.FULL["Swin-B"]
    flops = counting.count(file).flops
    ours, theirs, batch = _pair(file)
    with torch.no_grad():
        losses = [model(*batch, mode="loss")["loss"].item() for model in (ours, theirs)]
    yield Found("mmpretrain, Swin-B: loss against ours", abs(losses[1] / losses[0] - 1), bound=1e-4)
    del ours, theirs, batch

    for size in batches:

        def make(size: int = size) -> tuple[Any, int]:
            from mmengine.optim import AmpOptimWrapper

            ours, model, _ = _pair(file, size=1)
            inputs = models.batch_of(ours, models.config_of(file), size)
            wrapper = AmpOptimWrapper(
                optimizer=torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05),
                dtype="bfloat16",
                clip_grad={"max_norm": 5.0},
            )
            return models.step_of(model, wrapper, *_on_device(*inputs)), size

        yield from _measured(f"mmpretrain, Swin-B, bfloat16, batch {size}", flops, False, make)


def _pair(file: str, size: int = 2) -> tuple[Any, Any, Any]:
    """Our model, mmpretrain's with the same weights, and a batch."""
    from simmim_bench.registry import MODELS

    cfg = models.config_of(file)
    ours = models.model_of(cfg)
    theirs = MODELS.build(PEER).to(models.device())
    theirs.load_state_dict(renamed(ours.state_dict()), strict=True)
    return ours, theirs.train(), _on_device(*models.batch_of(ours, cfg, size))


def renamed(state: dict[str, Any]) -> dict[str, Any]:
    """Weights of our SimMIM with a Swin under the names of mmpretrain's."""
    names = {"mask_token": "backbone.mask_token"}
    return {
        names.get(key, key.replace("decoder.projection.", "neck.decoder.0.")): value
        for key, value in state.items()
    }


def _on_device(inputs: Any, samples: list[Any]) -> tuple[Any, list[Any]]:
    """A batch with masks where the images are, as mmpretrain expects."""
    return inputs, [sample.to(models.device()) for sample in samples]


def loader(small: bool, folder: Path) -> Iterator[Found]:
    """The pretraining's loader alone, on one core and on all, and a training fed by it."""
    file = models.FULL["Swin-B"]
    cfg = models.config_of(file)
    batch = 8 if small else 256
    count = 64 if small else 40 * batch
    photographs(folder / "train", count, 4 if small else 64)
    size = sum(path.stat().st_size for path in (folder / "train").iterdir()) / count
    yield Found("bytes of an image", size / 1e3, "kB")
    for workers in dict.fromkeys((1, cores())):
        rate = _loader_rate(cfg, folder, workers, batch)
        yield Found(f"loader alone, {workers} processes", rate, "images/s")
    if small:
        return
    model = models.model_of(cfg)
    wrapper = models.wrapper_of(cfg, model, "bfloat16")
    rate = _loader_rate(cfg, folder, cores(), batch, (model, wrapper))
    yield Found(f"Swin-B, bfloat16, batch {batch}, fed by {cores()} processes", rate, "images/s")


def _loader_rate(cfg: Any, folder: Path, workers: int, batch: int, trained: Any = None) -> float:
    """Images a second after the first batch, for an epoch or ten seconds, with or without steps."""
    from mmengine.registry import DefaultScope

    from simmim_bench.training.runner import BenchRunner

    given = cfg.train_dataloader.to_dict()
    given["dataset"].update(data_root=str(folder), data_prefix="train")
    given.update(num_workers=workers, batch_size=batch, persistent_workers=False)
    given["pin_memory"] = models.on_gpu()
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        built = iter(BenchRunner.build_dataloader(given, seed=0))
    next(built)
    begin, seen = time.perf_counter(), 0
    for data in built:
        if trained is not None:
            model, wrapper = trained
            given = model.data_preprocessor(data, training=True)
            models.step_of(model, wrapper, given["inputs"], given["data_samples"])()
        seen += batch
        if time.perf_counter() - begin > 10:
            break
    models.synchronise()
    return seen / (time.perf_counter() - begin)
