"""What every decoder does alike: from the backbone's grid to the target's grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec


class Decoder(nn.Module, ABC):
    """Last feature map to prediction.

    A target finer than the features is reached by ``decode``; for a coarser one the features
    are averaged first.

    Args:
        feature_spec: Strides and channels of the backbone; the last level is decoded.
        out_channels: Channels to predict at each target position.
        target_stride: Pixels per target position.

    Raises:
        ValueError: If neither of the two strides divides the other.
    """

    all_levels: ClassVar[bool] = False
    """Whether ``forward`` takes every map of the backbone, finest first, or the last one."""

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__()
        stride = feature_spec.strides[-1]
        if target_stride < 1 or (stride % target_stride and target_stride % stride):
            fitting = ", ".join(str(n) for n in range(1, stride + 1) if stride % n == 0)
            raise ValueError(
                f"target stride {target_stride} does not fit a backbone of stride {stride}; use "
                f"{fitting} or a multiple of {stride}"
            )
        self.in_channels = feature_spec.channels[-1]
        self.out_channels = out_channels
        self.upscale = max(stride // target_stride, 1)  # positions a side that one feature makes
        self.pooling = max(target_stride // stride, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Predict.

        Args:
            features: (B, C, H / stride, W / stride).

        Returns:
            (B, out_channels, H / target_stride, W / target_stride).
        """
        if self.pooling > 1:
            features = nn.functional.avg_pool2d(features, self.pooling)
        return self.decode(features)

    @abstractmethod
    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
