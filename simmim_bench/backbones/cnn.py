"""Adapter for the plain CNN, ``simmim_bench.PlainCNN``.

``out_indices=(3,)`` (its default) in pretraining and classification, ``(0, 1, 2, 3)`` in dense
tasks. Running statistics of batch norm are exported and loaded like weights.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.backbones.pixels import PixelAdapter
from simmim_bench.backbones.plain_cnn import PlainCNN

STEM_STRIDE = 2


class CNNAdapter(PixelAdapter):
    """Plain CNN: pixels are masked; one level of layer decay per convolution."""

    name = "cnn"
    backbone_type = PlainCNN

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        backbone = self.backbone
        return FeatureSpec(
            strides=tuple(self.token_size * 2**i for i in backbone.out_indices),
            channels=tuple(backbone.channels[i] for i in backbone.out_indices),
        )

    @property
    def token_size(self) -> int:
        """Stride of the first stage, stem included."""
        return 2 * STEM_STRIDE

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
