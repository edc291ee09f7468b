"""Colour clusters as classes, iGPT's palette (SimMIM, section 3.4).

Papers: https://arxiv.org/abs/2111.09886; Chen et al., Generative Pretraining from Pixels, 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target
from simmim_bench.targets.palette import read_palette

CHUNK = 1 << 16  # pixels whose distances to all centres are held at once: 128 MB for 512


@MODELS.register_module()
class ColourClusters(Target):
    """Each pixel as the nearest of k colours; for cross-entropy.

    The centres are part of the state dict (``target.centres``): they say what the decoder's
    channels mean.

    Args:
        palette: File of ``tools/fit_colour_clusters.py``.
        mean: See ``Target``; needed.
        std: See ``Target``; needed.

    Raises:
        BenchError: If the file is missing or no palette, or mean and std are not known.
    """

    centres: Tensor

    def __init__(
        self,
        *,
        palette: str,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(mean=mean, std=std)
        self.require_scale()
        self.register_buffer("centres", torch.tensor(read_palette(palette), dtype=torch.float32))
        self.out_channels = len(self.centres)

    def forward(self, images: Tensor) -> Tensor:
        """Nearest centre by squared distance in RGB, Long (B, 1, H, W)."""
        pixels = self.to_pixels(images).movedim(1, -1)  # (B, H, W, 3)
        chunks = pixels.reshape(-1, pixels.shape[-1]).split(CHUNK)
        nearest = [torch.cdist(chunk, self.centres).argmin(dim=1) for chunk in chunks]
        return torch.cat(nearest).view(pixels.shape[:-1]).unsqueeze(1)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Colour of the likeliest cluster."""
        colours = self.centres[prediction.argmax(dim=1)]  # (B, H, W, 3)
        return self.from_pixels(colours.movedim(-1, 1))
