"""Reconstructions as a picture: original, what the model saw, what it painted, and both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from simmim_bench.io import atomic_path
from simmim_bench.visualization.quality import masked_psnr, masked_ssim

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
