"""A training step and two operators with known results; runs in a process of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

from simmim_bench import shipped
from simmim_bench.doctor.finding import Finding

STEPS = 12
IMAGES = 16
SIDE = 64
"""Height and width of an image in pixels, as of the embedded data."""
SEED = 0
TOLERANCE = 1e-5
"""Of the values of an operator."""
BOXES = ((0.0, 0.0, 10.0, 10.0), (1.0, 1.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0))
SCORES = (0.9, 0.8, 0.7)
KEPT = [0, 2]
"""The second box overlaps the first by 0.81 and is dropped at 0.5."""
POOLED = [[0.5, 2.5], [0.5, 2.5]]
"""A ramp of value x, pooled over 0 to 4 in two bins: their centres, less half a pixel."""


def check_images() -> Iterator[Finding]:
    """OpenCV and Pillow can be imported, and encode and decode an image."""
    import cv2
    import numpy as np

    image = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    done, encoded = cv2.imencode(".png", image)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if done else None
    if decoded is None or not np.array_equal(decoded, image):
        remedy = f"pip install --force-reinstall opencv-python-headless=={cv2.__version__}"
        yield Finding("images", "problem", "a PNG is not what was written", remedy)
    else:
        yield Finding("images", "ok", f"OpenCV {cv2.__version__} writes and reads")


def check_operators() -> Iterator[Finding]:
    """``nms`` and ``roi_align``, called as detectors do, give what a hand computes."""
    import torch

    from simmim_bench import ops

    by_torchvision = ops.install()
    from mmcv.ops import nms, roi_align

    for device in _devices(torch):
        _, kept = nms(torch.tensor(BOXES, device=device), torch.tensor(SCORES, device=device), 0.5)
        ramp = torch.arange(8.0, device=device).expand(1, 1, 8, 8).contiguous()
        region = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]], device=device)
        pooled = roi_align(ramp, region, (2, 2), 1.0, 0, "avg", True)[0, 0]
        wanted = torch.tensor(POOLED, device=device)
        by = "torchvision" if by_torchvision else "mmcv"
        if kept.tolist() != KEPT or not torch.allclose(pooled, wanted, atol=TOLERANCE):
            text = f"those of {by} are wrong on {device}: nms keeps {kept.tolist()} instead of "
            text += f"{KEPT}, roi_align gives {pooled.tolist()} instead of {POOLED}"
            remedy = "reinstall torch and torchvision of matching versions, or mmcv"
            yield Finding("operators", "problem", text, remedy)
        else:
            yield Finding("operators", "ok", f"nms and roi_align of {by} are right on {device}")


def check_step() -> Iterator[Finding]:
    """SimMIM of the demo's Swin learns a batch of random images: its loss is finite and falls."""
    import torch

    for device in _devices(torch):
        losses, seconds = train(device)
        text = f"SimMIM on {device}, {STEPS} steps in {seconds:.1f} s"
        if not all(map(math.isfinite, losses)):
            number = next(step for step, loss in enumerate(losses) if not math.isfinite(loss))
            remedy = "reinstall torch; if a GPU does this, test it with other programs"
            text += f": the loss of step {number + 1} is {losses[number]}"
            yield Finding("training step", "problem", text, remedy)
        elif losses[-1] >= losses[0]:
            text += f": the loss does not fall, {losses[0]:.4f} to {losses[-1]:.4f}"
            remedy = "reinstall torch; report it with --report FILE if that does not help"
            yield Finding("training step", "problem", text, remedy)
        else:
            text += f": the loss falls from {losses[0]:.4f} to {losses[-1]:.4f}"
            yield Finding("training step", "ok", text)


def train(device: str) -> tuple[list[float], float]:
    """Loss of each step of SimMIM on one batch of random images, float32; seconds of all steps.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    import torch
    from mmengine.registry import DefaultScope
    from mmengine.structures import BaseDataElement

    from simmim_bench.config import load_config
    from simmim_bench.registry import MODELS
    from simmim_bench.training.process import prepare

    cfg = load_config(str(shipped.CONFIGS / "demo" / "simmim_swin-demo.py"))
    prepare("none", cfg.default_scope)
    torch.manual_seed(SEED)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model).to(device).train()
    coarse = torch.randn(IMAGES, 3, SIDE // 16, SIDE // 16, device=device)
    images = torch.nn.functional.interpolate(coarse, scale_factor=16, mode="bilinear")
    tokens = SIDE // 4
    samples = [
        BaseDataElement(mask=torch.rand(tokens, tokens, device=device) < 0.6) for _ in range(IMAGES)
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.optim_wrapper.optimizer.lr)
    losses, started = [], time.monotonic()
    for _ in range(STEPS):
        loss = model(images, samples, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, time.monotonic() - started


def _devices(torch: Any) -> list[str]:
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


TESTS = {
    "images": check_images,
    "operators": check_operators,
    "training step": check_step,
}
