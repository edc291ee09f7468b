"""The base of all decoders, and decoders of linear layers or convolutions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.registry import MODELS

MIN_CHANNELS = 32  # of convolutional stages
KERNEL = 4  # of transposed convolutions, twice the stride; see TransposedConvDecoder


class Decoder(nn.Module, ABC):
    """Module that makes the prediction from the last feature map.

    A subclass implements ``decode``, which goes from the grid of the features to a finer target.
    If the target is coarser, the features are averaged first.

    Args:
        feature_spec: Strides and channels of the backbone; the last level is decoded.
        out_channels: Channels to predict at each target position.
        target_stride: Pixels per target position.

    Attributes:
        all_levels: Whether ``forward`` takes all maps of the backbone, finest first, instead of
            the last one.

    Raises:
        ValueError: If neither of the two strides divides the other.
    """

    all_levels: ClassVar[bool] = False

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
        self.upscale = max(stride // target_stride, 1)  # target positions per feature, along a side
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


@MODELS.register_module()
class LinearDecoder(Decoder):
    """1x1 convolution to all positions that a feature covers, then pixel shuffle.

    This is SimMIM's prediction head (https://arxiv.org/abs/2111.09886, section 3.3).

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
    """

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        self.projection = nn.Conv2d(self.in_channels, self.upscale**2 * out_channels, 1)
        self.shuffle = nn.PixelShuffle(self.upscale)

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        return self.shuffle(self.projection(features))


@MODELS.register_module()
class MLPDecoder(Decoder):
    """Linear C -> C, GELU, linear to all positions that a feature covers, pixel shuffle.

    SimMIM, sections 3.3 and 4.1.3, compares such a two-layer MLP but states no hidden width; ours
    is the width of the features.

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
    """

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        self.layers = nn.Sequential(
            nn.Conv2d(self.in_channels, self.in_channels, 1),
            nn.GELU(),
            nn.Conv2d(self.in_channels, self.upscale**2 * out_channels, 1),
            nn.PixelShuffle(self.upscale),
        )

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        return self.layers(features)


@MODELS.register_module()
class ConvDecoder(Decoder):
    """Stages of upsampling x 2, 3x3 convolution, group norm, GELU, then a 1x1 convolution.

    Each stage doubles the grid and halves the channels, down to 32. If the upscaling has no factor
    of 2, there is one stage on the grid of the features. A remaining odd factor (7 of stride 14)
    is left to pixel shuffle.

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
    """

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        remaining, channels = self.upscale, self.in_channels
        stages: list[nn.Module] = []
        while not stages or remaining % 2 == 0:
            scale = 2 if remaining % 2 == 0 else 1
            after = max(channels // 2, MIN_CHANNELS)
            stages.append(_upsampled_stage(channels, after, scale))
            remaining, channels = remaining // scale, after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(channels, remaining**2 * out_channels, 1), nn.PixelShuffle(remaining)
        )

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        return self.head(self.stages(features))


@MODELS.register_module()
class TransposedConvDecoder(Decoder):
    """Stages of 4x4 transposed convolution of stride 2, group norm, GELU; then a 1x1 convolution.

    Each stage doubles the grid and halves the channels, down to 32. A remaining odd factor (7 of
    stride 14) is left to pixel shuffle. The kernel is a multiple of the stride, so all outputs
    have equally many inputs and there is no checkerboard pattern
    (https://distill.pub/2016/deconv-checkerboard/). Not in the SimMIM paper.

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
    """

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        remaining, channels = self.upscale, self.in_channels
        stages: list[nn.Module] = []
        while remaining % 2 == 0:
            after = max(channels // 2, MIN_CHANNELS)
            stages.append(_transposed_stage(channels, after))
            remaining, channels = remaining // 2, after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(channels, remaining**2 * out_channels, 1), nn.PixelShuffle(remaining)
        )

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        return self.head(self.stages(features))


def _upsampled_stage(channels: int, after: int, scale: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=scale, mode="nearest"),
        nn.Conv2d(channels, after, 3, padding=1),
        nn.GroupNorm(1, after),
        nn.GELU(),
    )


def _transposed_stage(channels: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels, after, KERNEL, stride=2, padding=1),
        nn.GroupNorm(1, after),
        nn.GELU(),
    )
