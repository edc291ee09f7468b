"""How long an evaluation will take: images times the time that the backbone needs for one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from simmim_bench.config import stated
from simmim_bench.evaluation.recipes import FULL, KIND_OF, PROBES, Job
from simmim_bench.records.environment import cpu_name
from simmim_bench.registry import MODELS

BATCH = 4
REPEATS = 3
BACKWARD = 3.0
"""Forward and backward pass, in forward passes."""
TRAINED_AFTER = {"linear": 1.0}
"""Forward passes a training image, where the backbone is frozen."""
HEADS = {
    ("small", "detection"): 2.0,
    ("small", "segmentation"): 0.5,
    ("full", "detection"): 175.0,
    ("full", "segmentation"): 220.0,
}
"""Billion multiply-adds of what follows the backbone: full size as in
configs/suites/simmim_paper.yaml, small from the records of the demo."""
SIDES = {"coco": 1010}
"""Side of a square with as many pixels as an image, where the config has another one."""
START_SECONDS = 15.0
"""Of a stage: imports, model, records."""


def machine() -> str:
    """What the estimates are of."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"core of {cpu_name()}"


def devices(cores: int | None) -> int:
    """How many runs go on at once."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return cores or len(os.sched_getaffinity(0))


def hours_of(cfg: Any, job: Job) -> float:
    """Hours of one run on one device of this machine, or one core of its CPU; an estimate.

    Args:
        cfg: Recipe, filled.
        job: The task.
    """
    seconds, flops = _forward(cfg, job)
    size = "full" if job.data in FULL else "small"
    kind = job.task if job.task in PROBES else KIND_OF.get(job.task, job.task)
    heads = 2e9 * HEADS.get((size, kind), 0.0)
    one = seconds * (1 + heads / max(flops, 1.0))
    passes = TRAINED_AFTER.get(job.task, BACKWARD)
    trained = _trained_images(cfg, job)
    if job.task in PROBES:  # features are computed once
        trained, passes = min(trained, float(job.train)), 1.0
    return (START_SECONDS + one * (trained * passes + job.val * _validations(cfg))) / 3600


def _trained_images(cfg: Any, job: Job) -> float:
    iterations = cfg.train_cfg.get("max_iters")
    if iterations:
        return float(iterations * cfg.auto_scale_lr.base_batch_size)
    chosen = cfg.train_dataloader.dataset
    images = chosen.get("indices") or job.train * (chosen.get("share") or 1)
    if "shots" in chosen:
        images = chosen.shots * next(number for _, number in stated(cfg.model, "num_classes"))
    return float(min(images, job.train) * cfg.train_cfg.max_epochs)


def _validations(cfg: Any) -> int:
    loop = cfg.train_cfg
    length = loop.get("max_epochs") or loop.get("max_iters")
    return max(1, length // loop.get("val_interval", length))


def _forward(cfg: Any, job: Job) -> tuple[float, float]:
    """Seconds and FLOPs of the backbone for one image, in evaluation mode."""
    size = SIDES.get(job.data) or cfg.protocol.image_size
    sides = (size, size) if isinstance(size, int) else tuple(size)
    divisor = cfg.model.get("data_preprocessor", {}).get("pad_size_divisor", 1)
    sides = tuple(-(-side // divisor) * divisor for side in sides)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with DefaultScope.overwrite_default_scope("mmpretrain"), torch.no_grad():
            backbone: nn.Module = MODELS.build(_on_one_device(cfg.model.backbone.to_dict()))
            backbone.to(device).eval()
            channels = cfg.model.backbone.get("in_channels", 3)
            with FlopCounterMode(display=False) as counted:
                backbone(torch.zeros(1, channels, *sides, device=device))
            images = torch.zeros(BATCH, channels, *sides, device=device)
            return _seconds(lambda: backbone(images)) / BATCH, float(counted.get_total_flops())
    finally:
        torch.set_num_threads(threads)


def _on_one_device(config: dict[str, Any]) -> dict[str, Any]:
    norm = config.get("norm_cfg") or {}
    return (
        {**config, "norm_cfg": {**norm, "type": "BN"}} if norm.get("type") == "SyncBN" else config
    )


def _seconds(run: Callable[[], Any]) -> float:
    """Shortest time of a few, after a first one; on a CPU that of this process alone."""
    on_gpu = torch.cuda.is_available()
    clock = time.perf_counter if on_gpu else time.process_time
    found = []
    for _ in range(REPEATS + 1):
        begin = clock()
        run()
        if on_gpu:
            torch.cuda.synchronize()
        found.append(clock() - begin)
    return min(found[1:])
