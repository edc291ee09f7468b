"""One linear layer from features to pixels, SimMIM's prediction head (section 3.3).

Paper: https://arxiv.org/abs/2111.09886
"""

from __future__ import annotations

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.registry import MODELS


@MODELS.register_module()
class LinearDecoder(nn.Module):
    """1x1 convolution to stride x stride pixels a position, then pixel shuffle.

    Args:
        feature_spec: Strides and channels of the backbone; the last level is decoded.
        out_channels: Channels of the predicted image.
    """

    def __init__(self, *, feature_spec: FeatureSpec, out_channels: int = 3) -> None:
        super().__init__()
        stride = feature_spec.strides[-1]
        self.projection = nn.Conv2d(feature_spec.channels[-1], stride**2 * out_channels, 1)
        self.shuffle = nn.PixelShuffle(stride)

    def forward(self, features: Tensor) -> Tensor:
        """Map the last feature map (B, C, H / stride, W / stride) to an image (B, 3, H, W)."""
        return self.shuffle(self.projection(features))
