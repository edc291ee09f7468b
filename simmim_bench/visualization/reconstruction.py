"""Reconstructions as a picture: original, what the model saw, what it painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simmim_bench.io import atomic_path

MASK_GREY = 0.5
GAP = 4  # pixels between tiles


def reconstruction_grid(
    images: Tensor, reconstruction: Tensor, mask: Tensor, *, mean: Tensor, std: Tensor
) -> np.ndarray:
    """Rows of original | masked | reconstruction with the visible pixels pasted in.

    Args:
        images: (B, 3, H, W), normalised RGB.
        reconstruction: Same shape and scale.
        mask: Bool, (B, H, W); True = masked.
        mean: (3,), of the normalisation, 0 to 255.
        std: (3,), same.

    Returns:
        (B * (H + gap), 3 * (W + gap), 3), uint8.
    """
    shown = _to_unit(images, mean, std)
    painted = _to_unit(reconstruction, mean, std)
    hidden = mask[:, None]
    tiles = torch.stack(
        [shown, shown.masked_fill(hidden, MASK_GREY), torch.where(hidden, painted, shown)], dim=1
    )
    padded = torch.nn.functional.pad(tiles, (0, GAP, 0, GAP), value=1.0)
    batch, columns, channels, height, width = padded.shape
    grid = padded.permute(0, 3, 1, 4, 2).reshape(batch * height, columns * width, channels)
    return (grid * 255).round().byte().cpu().numpy()


def save_png(pixels: np.ndarray, path: Path, *, scale: int = 1) -> None:
    """Write (H, W, 3) uint8 pixels, enlarged ``scale`` times, atomically."""
    image = Image.fromarray(pixels)
    enlarged = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    with atomic_path(path) as temporary:
        enlarged.save(temporary, format="PNG")


def _to_unit(normalised: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    mean, std = mean.to(normalised).view(1, 3, 1, 1), std.to(normalised).view(1, 3, 1, 1)
    return ((normalised * std + mean) / 255).clamp(0, 1)
