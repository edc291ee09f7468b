"""A plain CNN: convolutions and nothing else, no residual connection.

The 3x3 convolutions of VGG (https://arxiv.org/abs/1409.1556) with the batch norm of its later
implementations, on the four strides 4, 8, 16, 32 that the other backbones have. Options:
``out_indices=(3,)`` (its default) in pretraining and classification, ``(0, 1, 2, 3)`` in dense
tasks. Running statistics of batch norm are exported and loaded like weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from simmim_bench.backbones.base import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.backbones.sparse.cnn import VISIBLE_CNN
from simmim_bench.registry import MODELS

STEM_STRIDE = 2


@MODELS.register_module()
class PlainCNN(BaseModule):
    """Stem of stride 2, then four stages; a stage halves the grid with its first convolution.

    Every convolution is 3x3, padded by 1, without bias, and followed by a norm and ReLU.

    Args:
        channels: Channels of the stages; the stem has as many as the first.
        depths: Convolutions of each stage, at least 1.
        out_indices: Stages whose maps are returned, finest first.
        in_channels: Channels of the images.
        norm_cfg: mmcv's config of the norm. None: batch norm.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If channels and depths differ in length, or a stage is empty.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (2, 2, 2, 2),
        out_indices: Sequence[int] = (3,),
        in_channels: int = 3,
        norm_cfg: dict[str, Any] | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if len(channels) != len(depths) or min(depths) < 1:
            raise ValueError(
                f"channels {tuple(channels)} and depths {tuple(depths)} must have the same length, "
                f"and every depth must be at least 1"
            )
        self.channels, self.depths = tuple(channels), tuple(depths)
        self.out_indices = tuple(index % len(channels) for index in out_indices)
        self.in_channels = in_channels
        layer = partial(ConvModule, kernel_size=3, padding=1, norm_cfg=norm_cfg or {"type": "BN"})
        self.stem = layer(in_channels, channels[0], stride=STEM_STRIDE)
        self.stages = nn.ModuleList()
        before = channels[0]
        for width, depth in zip(channels, depths, strict=True):
            layers = [layer(before, width, stride=2)]
            layers += [layer(width, width, stride=1) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(*layers))
            before = width

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of ``out_indices``, (B, C, H / stride, W / stride), of images (B, 3, H, W)."""
        features, outputs = self.stem(images), []
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index in self.out_indices:
                outputs.append(features)
        return tuple(outputs)


@register_adapter
class CNNAdapter(PixelAdapter):
    """Plain CNN: pixels are masked; one level of layer decay per convolution."""

    name = "cnn"
    backbone_type = PlainCNN
    visible_encoder = VISIBLE_CNN

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        return self.levels.at(self.backbone.out_indices)

    @property
    def levels(self) -> FeatureSpec:
        """One level a stage."""
        channels = self.backbone.channels
        strides = (self.token_size * 2**i for i in range(len(channels)))
        return FeatureSpec(tuple(strides), channels)

    @property
    def token_size(self) -> int:
        """Stride of the first stage, stem included."""
        return 2 * STEM_STRIDE

    def stages(self) -> list[Sequence[nn.Module]]:
        """Convolutions by stage."""
        return list(self.backbone.stages)

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Convolutions: normal with He's deviation by outputs; norms 1 and 0, as in ResNet."""
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, _BatchNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)

    @property
    def num_layers(self) -> int:
        """Stem, one level per convolution, and what follows the backbone."""
        return sum(self.backbone.depths) + 2

    def layer_id(self, param_name: str) -> int:
        """Level of a parameter; a norm goes with its convolution."""
        part, *place = param_name.split(".")
        if part == "stem":
            return 0
        stage, index = int(place[0]), int(place[1])
        return sum(self.backbone.depths[:stage]) + index + 1

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        return {
            "channels": list(self.backbone.channels),
            "depths": list(self.backbone.depths),
            "in_channels": self.backbone.in_channels,
        }
