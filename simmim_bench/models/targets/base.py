"""The base of all targets: a target turns images into what the decoder must predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from simmim_bench.backbones.base import COLOURS
from simmim_bench.errors import BenchError


class Target(nn.Module, ABC):
    """Prediction target of masked image modelling; it has no trainable parameters.

    ``SimMIM`` builds it with the ``mean`` and ``std`` of its data preprocessor and the ``channels``
    of its backbone, and builds the decoder with the ``out_channels`` and ``stride`` of the target.

    Args:
        mean: Mean of the images' normalisation, one number for each channel, 0 to 255.
        std: Standard deviation, same.
        channels: Channels of the images.

    Attributes:
        predicts_images: Whether predictions can be shown as images.
        out_channels: Channels that the decoder predicts at each position.
        stride: Pixels per target position.
    """

    predicts_images: ClassVar[bool] = True
    out_channels: int
    stride: int

    def __init__(
        self,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        channels: int = COLOURS,
    ) -> None:
        super().__init__()
        self.out_channels = self.channels = channels
        self.stride = 1
        known = mean is not None and std is not None
        for name, value in (("mean", mean), ("std", std)):
            scale = torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) if known else None
            self.register_buffer(name, scale, persistent=False)

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Compute the target of normalised images (B, channels, H, W).

        Returns:
            Float, (B, out_channels, H / stride, W / stride), or class indices, Long
            (B, fields, H / stride, W / stride) with out_channels = fields * classes.

        Raises:
            ValueError: If the image size does not fit.
        """

    def to_images(self, prediction: Tensor, images: Tensor) -> Tensor:  # noqa: ARG002
        """Convert a prediction to images.

        Args:
            prediction: (B, out_channels, H / stride, W / stride).
            images: The normalised images that were masked, (B, channels, H, W).

        Returns:
            (B, channels, H, W), normalised as ``images``.

        Raises:
            ValueError: If ``predicts_images`` is False.
        """
        raise ValueError(f"predictions of {type(self).__name__} cannot be shown as images")

    def require_scale(self) -> None:
        """Check that mean and std were given.

        Raises:
            BenchError: If they were not.
        """
        if self.mean is None:
            raise BenchError(
                f"{type(self).__name__} needs the normalisation of the images; give the model a "
                f"data_preprocessor with mean and std"
            )

    def to_pixels(self, images: Tensor) -> Tensor:
        """Convert normalised images (B, channels, H, W) to values of 0 to 255, float."""
        return images * self.std + self.mean

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Convert values of 0 to 255, (B, channels, H, W), to normalised images."""
        return (pixels - self.mean) / self.std


def grid_of(images: Tensor, stride: int, what: str) -> tuple[int, int]:
    """Number of rows and columns of ``stride`` pixels in images (B, C, H, W).

    Raises:
        ValueError: If the image size is not divisible by ``stride``, which ``what`` names.
    """
    height, width = images.shape[2:]
    if height % stride or width % stride:
        raise ValueError(
            f"image size {height} x {width} is not divisible by {what} {stride}; use one that "
            f"divides both sides"
        )
    return height // stride, width // stride
