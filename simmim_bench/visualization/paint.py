"""Let a pretraining model paint given images, always from the same pixels under the same masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import Compose, default_collate

from simmim_bench.masking.strategies import for_evaluation
from simmim_bench.registry import TRANSFORMS
from simmim_bench.visualization.reconstruction import Painted, denormalised

MASK_STEP = "simmim_bench.GenerateMask"


def paints(model: Any) -> bool:
    """Whether a model predicts images; contrastive methods have no target, others' may be none."""
    return bool(getattr(getattr(model, "target", None), "paints", False))


def evaluation_pipeline(cfg: Any, *, seed: int) -> Compose:
    """Load, resize the short edge, crop the centre, mask: no augmentation.

    Args:
        cfg: Config of a pretraining; its image size and masks are used (``for_evaluation``).
        seed: Of the masks; a mask depends on it and on the image's number.
    """
    stated = cfg.pretraining.image_size
    height, width = (stated, stated) if isinstance(stated, int) else stated
    steps = cfg.train_dataloader.dataset.pipeline
    [mask] = [step for step in steps if step["type"] == MASK_STEP]
    bicubic = {"backend": "pillow", "interpolation": "bicubic"}
    pipeline = [
        {"type": "simmim_bench.LoadImage"},
        {"type": "mmpretrain.ResizeEdge", "scale": max(height, width), "edge": "short", **bicubic},
        {"type": "mmpretrain.CenterCrop", "crop_size": (width, height)},
        {**for_evaluation(mask), "seed": seed},
        {"type": "mmpretrain.PackInputs", "algorithm_keys": ["mask"]},
    ]
    return Compose([TRANSFORMS.build(step) for step in pipeline])


@torch.no_grad()
def paint(model: Any, pipeline: Compose, paths: Sequence[Path | str]) -> Painted:
    """Reconstruct the images at ``paths``, files or addresses, with ``model``; its mode is kept.

    Raises:
        BenchError: If an image cannot be read.
        ValueError: If the model's target is no image.
    """
    samples = [
        pipeline({"img_path": str(path), "sample_idx": number}) for number, path in enumerate(paths)
    ]
    was_training = model.training
    model.eval()
    try:
        data = model.data_preprocessor(default_collate(samples), False)
        shown = model(data["inputs"], data["data_samples"], mode="predict")
    finally:
        model.train(was_training)
    normalisation = model.data_preprocessor
    return denormalised(shown, mean=normalisation.mean, std=normalisation.std)
