"""Let a pretraining model paint given images, always from the same pixels under the same masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, default_collate
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from simmim_bench.io import atomic_path
from simmim_bench.masking.strategies import for_evaluation
from simmim_bench.registry import TRANSFORMS

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


# Reconstructions as a picture: original, what the model saw, what it painted, and both.


TITLES = ("image", "masked", "prediction", "pasted")
MASK_GREY = 0.5
GAP = 4  # pixels between tiles


@dataclass(frozen=True)
class Painted:
    """Images and their reconstructions, in [0, 1].

    Args:
        images: (B, 3, H, W).
        reconstruction: Same shape.
        mask: Bool, (B, H, W); True = masked.
    """

    images: Tensor
    reconstruction: Tensor
    mask: Tensor

    def grid(self) -> np.ndarray:
        """Rows of image | masked | prediction | prediction pasted into the visible part.

        Returns:
            (B * (H + gap), 4 * (W + gap), 3), uint8.
        """
        hidden = self.mask[:, None]
        columns = [
            self.images,
            self.images.masked_fill(hidden, MASK_GREY),
            self.reconstruction,
            torch.where(hidden, self.reconstruction, self.images),
        ]
        tiles = torch.stack(columns, dim=1)  # (B, 4, 3, H, W)
        padded = torch.nn.functional.pad(tiles, (0, GAP, 0, GAP), value=1.0)
        batch, count, channels, height, width = padded.shape
        grid = padded.permute(0, 3, 1, 4, 2).reshape(batch * height, count * width, channels)
        return (grid * 255).round().byte().cpu().numpy()

    def psnr(self) -> Tensor:
        """PSNR of each image on its masked part, (B,), dB."""
        return masked_psnr(self.reconstruction, self.images, self.mask)

    def ssim(self) -> Tensor:
        """SSIM of each image on its masked part, (B,)."""
        return masked_ssim(self.reconstruction, self.images, self.mask)


def denormalised(shown: dict[str, Tensor], *, mean: Tensor, std: Tensor) -> Painted:
    """What a model's ``predict`` mode returns, in [0, 1].

    Args:
        shown: ``images`` and ``reconstruction``, (B, 3, H, W), normalised RGB; ``mask``.
        mean: Of the normalisation, 3 values in 0 to 255.
        std: Same.
    """
    return Painted(
        images=_to_unit(shown["images"], mean, std),
        reconstruction=_to_unit(shown["reconstruction"], mean, std),
        mask=shown["mask"],
    )


def save_png(pixels: np.ndarray, path: Path, *, scale: int = 1, titles: Sequence[str] = ()) -> None:
    """Write (H, W, 3) uint8 pixels, enlarged ``scale`` times, atomically.

    Args:
        pixels: A grid of reconstructions.
        path: PNG file.
        scale: Enlargement, without smoothing.
        titles: What stands above each column of the grid, if anything.
    """
    image = Image.fromarray(pixels)
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    if titles:
        image = _with_titles(image, titles)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _with_titles(grid: Image.Image, titles: Sequence[str]) -> Image.Image:
    column = grid.width // len(titles)
    size = max(8, min(16, column // 6))
    titled = Image.new("RGB", (grid.width, grid.height + 2 * size), "white")
    titled.paste(grid, (0, 2 * size))
    draw, font = ImageDraw.Draw(titled), ImageFont.load_default(size)
    for number, title in enumerate(titles):
        middle = (number * column + column // 2, size)
        draw.text(middle, title, fill="black", font=font, anchor="mm")
    return titled


def _to_unit(normalised: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    mean, std = mean.to(normalised).view(1, 3, 1, 1), std.to(normalised).view(1, 3, 1, 1)
    return ((normalised.float() * std + mean) / 255).clamp(0, 1)


# How well masked pixels are predicted: PSNR and SSIM on the masked part, by torchmetrics.
#
# SSIM: Wang et al. 2004 (https://doi.org/10.1109/TIP.2003.819861), Gaussian window of 11 pixels,
# sigma 1.5.


def masked_psnr(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over the masked pixels of each image, in dB.

    Args:
        prediction: (B, 3, H, W), in [0, 1].
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32; NaN for an image without a masked pixel, infinite if all are equal.
    """
    triples = zip(prediction.float(), image.float(), mask, strict=True)
    return torch.stack(
        [
            peak_signal_noise_ratio(painted[:, hidden], original[:, hidden], data_range=1.0)
            for painted, original, hidden in triples
        ]
    )


def masked_ssim(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Structural similarity at the masked pixels of each image.

    The prediction is pasted into the visible part, as a viewer sees it; the map of local
    similarities is then averaged over masked pixels and channels.

    Args:
        prediction: (B, 3, H, W), in [0, 1]; H and W at least 11.
        image: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.

    Returns:
        (B,), float32, at most 1; NaN for an image without a masked pixel.
    """
    pasted = torch.where(mask.unsqueeze(1), prediction, image).float()
    _, local = structural_similarity_index_measure(
        pasted, image.float(), data_range=1.0, reduction="none", return_full_image=True
    )
    local = local.mean(dim=1)  # (B, H, W)
    return (local * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
