"""One linear layer from features to the target, SimMIM's prediction head (section 3.3).

Paper: https://arxiv.org/abs/2111.09886
"""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.decoders.base import Decoder
from simmim_bench.registry import MODELS


@MODELS.register_module()
class LinearDecoder(Decoder):
    """1x1 convolution to all positions that a feature covers, then pixel shuffle.

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
