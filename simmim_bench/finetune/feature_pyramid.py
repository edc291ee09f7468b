"""Feature pyramid from the last map of a plain ViT (ViTDet, https://arxiv.org/abs/2203.16527).

Reference: https://github.com/facebookresearch/detectron2/blob/main/detectron2/modeling/backbone/vit.py
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812
from mmengine.model import BaseModule
from mmpretrain.models.utils import LayerNorm2d
from torch import Tensor, nn

from simmim_bench.registry import MODELS


@MODELS.register_module()
class SimpleFeaturePyramid(BaseModule):
    """Maps of 4, 2, 1 and 1/2 times the resolution of one map, and a coarser one.

    From a ViT of patch 16: strides 4, 8, 16, 32, and 64 by taking every second position.

    Args:
        in_channels: Channels of the backbone's last output; divisible by 4.
        out_channels: Channels of every level.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half, quarter = in_channels // 2, in_channels // 4
        self.levels = nn.ModuleList(
            nn.Sequential(*resample, *_projection(channels, out_channels))
            for channels, resample in (
                (
                    quarter,
                    [_double(in_channels, half), LayerNorm2d(half), nn.GELU(),
                     _double(half, quarter)],
                ),
                (half, [_double(in_channels, half)]),
                (in_channels, []),
                (in_channels, [nn.MaxPool2d(kernel_size=2, stride=2)]),
            )
        )  # fmt: skip

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Build the pyramid.

        Args:
            inputs: Outputs of the backbone; the last, (B, in_channels, h, w), is used.

        Returns:
            Five maps (B, out_channels, ...), finest first.
        """
        maps = [level(inputs[-1]) for level in self.levels]
        return (*maps, F.max_pool2d(maps[-1], kernel_size=1, stride=2))


def _double(in_channels: int, out_channels: int) -> nn.Module:
    return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)


def _projection(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    ]
