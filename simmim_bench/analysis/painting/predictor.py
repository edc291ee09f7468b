"""A pretrained model that predicts masked patches of images."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from simmim_bench.analysis.images import PixelMask, Pixels
from simmim_bench.data.reading import COLOURS, reading_of
from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import build_strategy, for_evaluation
from simmim_bench.reconstruction import MASK_STEP, denormalised

BATCH = 32


class Predictor:
    """Model, image size and mask patches of one pretraining.

    Args:
        model: Pretraining model that predicts images; set to evaluation mode.
        image_size: Height and width of its input in pixels.
        mask: Arguments of ``GenerateMask`` in the pretraining.
    """

    def __init__(self, *, model: Any, image_size: tuple[int, int], mask: dict[str, Any]) -> None:
        self.model = model.eval()
        self.image_size = image_size
        unused = ("type", "seed", "strategy")
        mask = for_evaluation(mask)
        self._mask = {key: value for key, value in mask.items() if key not in unused}
        self._strategy = mask.get("strategy", "random")
        strategy = build_strategy(self._strategy, **self._mask)
        self.grid = strategy.patch_grid(image_size)
        self._tokens = strategy.mask_patch_size // strategy.token_size
        self._lock = threading.Lock()  # hooks pass masks to the model; threads share them

    def random_patches(self, *, ratio: float, seed: Sequence[int]) -> PixelMask:
        """Draw masked patches as in the pretraining, with another ratio.

        Args:
            ratio: Share of masked patches, 0 < ratio < 1.
            seed: Seed key of the generator.

        Returns:
            Bool, ``grid``; True = masked.

        Raises:
            ValueError: If the ratio is outside (0, 1).
        """
        strategy = build_strategy(self._strategy, **{**self._mask, "mask_ratio": ratio})
        tokens = strategy(self.image_size, np.random.default_rng(list(seed)))
        return tokens[:: self._tokens, :: self._tokens]

    @torch.no_grad()
    def predict(self, images: Pixels, patches: PixelMask) -> Pixels:
        """Predict all patches, visible ones included. Only one thread predicts at a time.

        Args:
            images: (B, H, W, 3), uint8, RGB, at ``image_size``.
            patches: Bool, (B, rows, columns); True = masked.

        Returns:
            (B, H, W, 3), uint8.
        """
        tokens = torch.from_numpy(patches).repeat_interleave(self._tokens, 1)
        tokens = tokens.repeat_interleave(self._tokens, 2)
        with self._lock:
            parts = [
                self._predict(images[start : start + BATCH], tokens[start : start + BATCH])
                for start in range(0, len(images), BATCH)
            ]
        return np.concatenate(parts)

    def _predict(self, images: Pixels, tokens: Tensor) -> Pixels:
        scale = self.model.data_preprocessor
        mean, std = (value.view(1, 3, 1, 1) for value in (scale.mean, scale.std))
        pixels = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).to(mean)
        samples = []
        for mask in tokens:
            sample = DataSample()
            sample.set_field(mask, "mask")
            samples.append(sample)
        output = self.model((pixels - mean) / std, samples, mode="predict")
        predicted = denormalised(output, mean=scale.mean, std=scale.std).reconstruction
        values: Pixels = (predicted * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        return values


def load_predictor(
    config: str,
    checkpoint: Path,
    overrides: Sequence[str] = (),
    *,
    image_size: int | None = None,
) -> Predictor:
    """Open the model of a pretraining, on the GPU if there is one.

    Args:
        config: Config of a pretraining.
        checkpoint: ``epoch_N.pth``, or the folder of a finished run.
        overrides: ``KEY=VALUE`` changes of the config.
        image_size: ``--image-size`` of the pretraining.

    Raises:
        BenchError: If the config is not one of a pretraining, the model predicts no images, the
            checkpoint does not fit, or the pretraining masks several views of an image.
    """
    from mmengine.device import get_device

    from simmim_bench.analysis.models import open_pretraining
    from simmim_bench.training.failures import explained

    cfg, model = open_pretraining(config, checkpoint, overrides, image_size=image_size)
    stated = cfg.pretraining.image_size
    size = (stated, stated) if isinstance(stated, int) else tuple(stated)
    steps = cfg.train_dataloader.dataset.pipeline
    if (channels := reading_of(steps).channels) != COLOURS:
        raise BenchError(
            f"{config} reads images of {channels} channels, and painting works in RGB; use "
            "`simmim-bench analyze reconstruct`"
        )
    masks = [dict(step) for step in steps if step["type"] == MASK_STEP]
    if len(masks) != 1:
        raise BenchError(
            f"{config} has {len(masks)} steps {MASK_STEP} in its pipeline, expected one; give a "
            f"pretraining with one view of an image"
        )
    with explained(config):
        return Predictor(model=model.to(get_device()), image_size=size, mask=masks[0])
