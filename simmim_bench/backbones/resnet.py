"""Adapter for ResNet (https://arxiv.org/abs/1512.03385), ``mmpretrain.ResNet`` and subclasses.

``mmpretrain.ResNet`` serves all tasks: ``out_indices=(3,)`` (its default) in pretraining and
classification, ``(0, 1, 2, 3)`` in dense tasks. It freezes nothing by default
(``frozen_stages=-1``, ``norm_eval=False``), which mmdet's ResNet recipes do: a config says so.
Running statistics of batch norm are exported and loaded like weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import ResNet
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from simmim_bench.backbones.base import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.backbones.sparse.cnn import VISIBLE_CNN


@register_adapter
class ResNetAdapter(PixelAdapter):
    """ResNet: pixels are masked; one level of layer decay per residual block."""

    name = "resnet"
    backbone_type = ResNet
    visible_encoder = VISIBLE_CNN

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        return self.levels.at(self.backbone.out_indices)

    @property
    def levels(self) -> FeatureSpec:
        """One level a stage."""
        backbone = self.backbone
        strides, stride = [], self.token_size
        for step in backbone.strides[: backbone.num_stages]:
            stride *= step
            strides.append(stride)
        width = backbone.base_channels * backbone.expansion
        return FeatureSpec(tuple(strides), tuple(width * 2**i for i in range(len(strides))))

    @property
    def token_size(self) -> int:
        """Stride of the stem: convolution and max pooling."""
        backbone = self.backbone
        first = backbone.stem[0].conv if backbone.deep_stem else backbone.conv1
        pooling = getattr(backbone, "maxpool", None)  # ResNet_CIFAR has none
        return int(first.stride[0] * (pooling.stride if pooling else 1))

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Convolutions: normal with He's deviation by outputs; norms 1 and 0.

        As torchvision (https://github.com/pytorch/vision/blob/main/torchvision/models/resnet.py)
        and mmpretrain. ``zero_init_residual``, on in mmpretrain, starts the last norm of a block
        at 0.
        """
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, _BatchNorm | nn.GroupNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        if self.backbone.zero_init_residual:
            for block in self._blocks():
                last = block.norm3 if hasattr(block, "norm3") else block.norm2
                nn.init.zeros_(last.weight)

    def stages(self) -> list[Sequence[nn.Module]]:
        """Blocks by stage."""
        return [getattr(self.backbone, name) for name in self.backbone.res_layers]

    def _blocks(self) -> list[nn.Module]:
        return [block for stage in self.stages() for block in stage]

    @property
    def num_layers(self) -> int:
        """Stem, one level per block, and what follows the backbone.

        mmpretrain's own rule joins two or three blocks and knows a few depths only.
        """
        return len(self._blocks()) + 2

    def layer_id(self, param_name: str) -> int:
        """Level of a parameter; a shortcut's convolution goes with its block."""
        layer, index, *_ = param_name.split(".")
        if layer not in self.backbone.res_layers:
            return 0
        earlier = self.backbone.res_layers[: self.backbone.res_layers.index(layer)]
        return sum(len(getattr(self.backbone, name)) for name in earlier) + int(index) + 1

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        backbone = self.backbone
        first = backbone.stem[0].conv if backbone.deep_stem else backbone.conv1
        return {
            "class": type(backbone).__name__,
            "depth": backbone.depth,
            "base_channels": backbone.base_channels,
            "stem_channels": backbone.stem_channels,
            "deep_stem": backbone.deep_stem,
            "avg_down": backbone.avg_down,
            "style": backbone.style,
            "in_channels": first.in_channels,
        }
