"""Normalised RGB, SimMIM's target (https://arxiv.org/abs/2111.09886, section 3.4)."""

from __future__ import annotations

from torch import Tensor

from simmim_bench.registry import MODELS
from simmim_bench.targets.base import Target


@MODELS.register_module()
class NormalisedRGB(Target):
    """The images as the preprocessor normalised them."""

    def forward(self, images: Tensor) -> Tensor:
        """The images themselves, (B, 3, H, W)."""
        return images

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """The prediction itself."""
        return prediction
