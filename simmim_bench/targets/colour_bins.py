"""Colour bins a channel as classes (SimMIM, https://arxiv.org/abs/2111.09886, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target

LEVELS = 256
CHANNELS = 3


@MODELS.register_module()
class ColourBins(Target):
    """Each of R, G and B as one of ``bins`` equal parts of 0 to 255; for cross-entropy.

    Args:
        bins: Classes a channel; the paper compares 8 and 256.
        mean: See ``Target``; needed.
        std: See ``Target``; needed.

    Raises:
        ValueError: If there are fewer than 2 or more than 256 bins.
        BenchError: If mean and std are not known.
    """

    def __init__(
        self,
        *,
        bins: int,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(mean=mean, std=std)
        if not 2 <= bins <= LEVELS:
            raise ValueError(f"{bins} bins are not between 2 and {LEVELS}; SimMIM uses 8 and 256")
        self.require_scale()
        self.bins = bins
        self.out_channels = CHANNELS * bins

    def forward(self, images: Tensor) -> Tensor:
        """Bin of each channel, Long (B, 3, H, W)."""
        # a level fills [level - 0.5, level + 0.5): rounding of the normalisation does no harm
        position = (self.to_pixels(images) + 0.5) * (self.bins / LEVELS)
        return position.floor().clamp(0, self.bins - 1).to(torch.int64)

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Centre of the likeliest bin of each channel."""
        likeliest = prediction.unflatten(1, (CHANNELS, self.bins)).argmax(dim=2)  # (B, 3, H, W)
        return self.from_pixels((likeliest + 0.5) * (LEVELS / self.bins) - 0.5)
