"""Symmetric U-shaped decoder with skips from all stages of the backbone.

A U-Net (https://arxiv.org/abs/1505.04597) like the decoder of SparK
(https://arxiv.org/abs/2301.03580, section 3.3), with other widths, norms and projections; see
docs/sparse.md. Not in the SimMIM paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.models.decoders.simple import Decoder
from simmim_bench.registry import MODELS

MIN_CHANNELS = 32
KERNEL = 4  # twice the stride of 2, see TransposedConvDecoder


@MODELS.register_module()
class UNetDecoder(Decoder):
    """From the last stage upwards: enlarge the grid, add the next stage, two 3x3 convolutions.

    At each step a transposed convolution brings the map to the grid and channels of the next
    stage, and the map of that stage is added through a 1x1 convolution (as in SparK; U-Net
    concatenates). Beyond the first stage the grid grows to that of the target without skips, and
    each step halves the channels. If the target is coarser than the first stage, the result is
    averaged.

    At masked positions of a sparse encoder the maps of all stages but the last are 0, so the 1x1
    convolution returns its bias there, as it also does for visible positions. SparK instead
    learns a mask embedding for each stage that only masked positions get.

    Args:
        feature_spec: See ``Decoder``; two levels or more.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.

    Raises:
        ValueError: As ``Decoder``, or if the backbone returns only one map, or of two neighbouring
            strides (target included) neither divides the other.
    """

    all_levels: ClassVar[bool] = True

    def __init__(
        self, *, feature_spec: FeatureSpec, out_channels: int = 3, target_stride: int = 1
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        finest = feature_spec.strides[0]
        _check(feature_spec.strides, target_stride)
        self.pooling = max(target_stride // finest, 1)
        self.skipped = list(reversed(range(len(feature_spec.strides) - 1)))
        """Levels that are added, coarsest first."""
        self.ups, self.laterals, self.mixes = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        stride, width = feature_spec.strides[-1], feature_spec.channels[-1]
        for level in self.skipped:
            finer, after = feature_spec.strides[level], feature_spec.channels[level]
            self.ups.append(_grow(width, after, stride // finer))
            self.laterals.append(nn.Conv2d(after, after, 1))
            self.mixes.append(_mix(after))
            stride, width = finer, after
        self.rest = _to_target(width, max(finest // target_stride, 1), out_channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Predict.

        Args:
            features: Every level, (B, C, H / stride, W / stride), finest first.

        Returns:
            (B, out_channels, H / target_stride, W / target_stride).
        """
        *levels, last = features
        for level, up, lateral, mix in zip(
            self.skipped, self.ups, self.laterals, self.mixes, strict=True
        ):
            last = mix(up(last) + lateral(levels[level]))
        return super().forward(last)

    def decode(self, features: Tensor) -> Tensor:
        """From the grid of the first stage to that of the target."""
        return self.rest(features)


def _check(strides: Sequence[int], target_stride: int) -> None:
    if len(strides) == 1:
        raise ValueError(
            f"UNetDecoder needs the maps of all stages, but the backbone returns only one, of "
            f"stride {strides[0]}; set out_indices=(0, 1, 2, 3) in the backbone"
        )
    if any(coarse % fine for fine, coarse in pairwise(strides)):
        raise ValueError(
            f"strides {tuple(strides)} of the backbone's maps must divide each other; choose other "
            "out_indices"
        )
    if strides[0] % target_stride and target_stride % strides[0]:
        raise ValueError(
            f"target stride {target_stride} does not fit a first stage of stride {strides[0]}; use "
            f"a divisor or a multiple of {strides[0]}"
        )


def _to_target(channels: int, scale: int, out_channels: int) -> nn.Sequential:
    """Halve the channels at each doubling; a remaining odd factor is left to pixel shuffle."""
    layers: list[nn.Module] = []
    while scale % 2 == 0:
        after = max(channels // 2, MIN_CHANNELS)
        layers += [_grow(channels, after, 2), nn.GroupNorm(1, after), nn.GELU()]
        channels, scale = after, scale // 2
    layers += [nn.Conv2d(channels, scale**2 * out_channels, 1), nn.PixelShuffle(scale)]
    return nn.Sequential(*layers)


def _grow(channels: int, after: int, scale: int) -> nn.Module:
    """Transposed convolution to a ``scale`` times finer grid; 3x3 convolution if scale is 1."""
    if scale == 1:
        return nn.Conv2d(channels, after, 3, padding=1)
    if scale == 2:
        return nn.ConvTranspose2d(channels, after, KERNEL, stride=2, padding=1)
    return nn.ConvTranspose2d(channels, after, scale, stride=scale)


def _mix(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(1, channels),
            nn.GELU(),
        ]
    return nn.Sequential(*layers)
