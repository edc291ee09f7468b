"""Transposed convolutions: the grid grows by learned kernels. Not in the SimMIM paper."""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.decoders.base import Decoder
from simmim_bench.registry import MODELS

MIN_CHANNELS = 32
KERNEL = 4  # a multiple of the stride 2: every output has as many inputs, so no checkerboard


@MODELS.register_module()
class TransposedConvDecoder(Decoder):
    """Stages of 4x4 transposed convolution of stride 2, group norm, GELU; then a 1x1 convolution.

    There are as many stages as the upscaling has factors of 2; another factor that remains (7 of
    a stride of 14) is left to pixel shuffle. Channels are C / 2, C / 4, ... down to 32. The kernel
    is twice the stride (https://distill.pub/2016/deconv-checkerboard/).

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
            stages.append(_stage(channels, after))
            remaining, channels = remaining // 2, after
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(channels, remaining**2 * out_channels, 1), nn.PixelShuffle(remaining)
        )

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        return self.head(self.stages(features))


def _stage(channels: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels, after, KERNEL, stride=2, padding=1),
        nn.GroupNorm(1, after),
        nn.GELU(),
    )
