"""What is predicted: a target turns images into what the decoder must output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from simmim_bench.errors import BenchError


class Target(nn.Module, ABC):
    """Prediction target of masked image modelling; has no trainable parameter.

    ``SimMIM`` builds it with the ``mean`` and ``std`` of its data preprocessor, so a config
    states them once, and its decoder with ``out_channels`` and ``stride``.

    Args:
        mean: Of the images' normalisation, one number a channel, 0 to 255.
        std: Same.
    """

    paints: ClassVar[bool] = True
    """Whether a prediction can be shown as an image."""

    out_channels: int
    """Channels that the decoder predicts at each position."""

    stride: int
    """Pixels per target position."""

    def __init__(
        self, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.out_channels = 3
        self.stride = 1
        known = mean is not None and std is not None
        for name, value in (("mean", mean), ("std", std)):
            scale = torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) if known else None
            self.register_buffer(name, scale, persistent=False)

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """What to predict for normalised images (B, 3, H, W).

        Returns:
            Float, (B, out_channels, H / stride, W / stride), or class indices, Long
            (B, fields, H / stride, W / stride) with out_channels = fields * classes.

        Raises:
            ValueError: If the images do not fit.
        """

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Show a prediction.

        Args:
            prediction: (B, out_channels, H / stride, W / stride).
            images: The normalised images it belongs to, (B, 3, H, W).

        Returns:
            (B, 3, H, W), normalised as ``images``.

        Raises:
            ValueError: If this target's predictions are no images (``paints`` is False).
        """
        raise ValueError(
            f"a prediction of {type(self).__name__} is no image; show only models whose target "
            f"has paints = True"
        )

    def require_scale(self) -> None:
        """Check that the normalisation is known.

        Raises:
            BenchError: If it is not.
        """
        if self.mean is None:
            raise BenchError(
                f"{type(self).__name__} needs to know how images are normalised; give the model a "
                f"data_preprocessor with mean and std"
            )

    def to_pixels(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) as values of 0 to 255, float."""
        return images * self.std + self.mean

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Values of 0 to 255, (B, 3, H, W), as normalised images."""
        return (pixels - self.mean) / self.std


def grid_of(images: Tensor, stride: int, what: str) -> tuple[int, int]:
    """Rows and columns of ``stride`` pixels in images (B, C, H, W).

    Raises:
        ValueError: If they do not divide the images; ``what`` names them.
    """
    height, width = images.shape[2:]
    if height % stride or width % stride:
        raise ValueError(
            f"image size {height} x {width} is not divisible by {what} {stride}; use one that "
            f"divides both sides"
        )
    return height // stride, width // stride
