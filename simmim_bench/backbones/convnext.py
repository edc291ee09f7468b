"""Adapter for ConvNeXt (https://arxiv.org/abs/2201.03545), ``mmpretrain.ConvNeXt``.

``use_grn=True, layer_scale_init_value=0.0`` makes it ConvNeXt V2. Options by task:

- pretraining: ``gap_before_final_norm=False``: feature maps, not vectors (not the default).
- classification: ``gap_before_final_norm=True`` and no neck; the last norm is pretrained.
- dense tasks: ``gap_before_final_norm=False, out_indices=[0, 1, 2, 3]``; the norms of the three
  earlier levels are new.

Reference: https://github.com/facebookresearch/ConvNeXt/blob/main/models/convnext.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones import ConvNeXt
from mmpretrain.models.utils import LayerNorm2d
from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec, register_adapter
from simmim_bench.backbones.pixels import PixelAdapter

INIT_STD = 0.02
MERGING_STRIDE = 2


@register_adapter
class ConvNeXtAdapter(PixelAdapter):
    """ConvNeXt: pixels are masked, on the grid of the stem's patches.

    Levels of layer decay are those of ``get_num_layer_for_convnext`` in the original's
    optim_factory.py, as mmpretrain's ``get_layer_depth`` has them: 14 where the third stage has
    more than 9 blocks, else 8; three blocks of that stage to a level, and a stage to a level
    elsewhere.
    """

    name = "convnext"
    backbone_type = ConvNeXt

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        return self.levels.at(self.backbone.out_indices)

    @property
    def levels(self) -> FeatureSpec:
        """One level a stage."""
        channels = tuple(self.backbone.channels)
        strides = (self.token_size * MERGING_STRIDE**i for i in range(len(channels)))
        return FeatureSpec(tuple(strides), channels)

    @property
    def token_size(self) -> int:
        """Stride of the stem."""
        return int(self._stem.stride[0])

    @property
    def _stem(self) -> nn.Conv2d:
        stem: nn.Conv2d = self.backbone.downsample_layers[0][0]
        return stem

    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """The last level, (B, C, h, w).

        Raises:
            ValueError: If the backbone returns the mean of its feature map.
        """
        if self.backbone.gap_before_final_norm:
            raise ValueError(
                "ConvNeXt has gap_before_final_norm=True and returns no feature map; set "
                "gap_before_final_norm=False"
            )
        return outputs[-1]

    def stages(self) -> list[Sequence[nn.Module]]:
        """Blocks by stage."""
        return list(self.backbone.stages)

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Convolutions and linear layers: normal of 0.02, truncated at +-2; norms 1 and 0.

        As ``_init_weights`` of the original; layer scale keeps the value of its option.
        """
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm | LayerNorm2d):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        block = self.backbone.stages[0][0]
        return {
            "depths": list(self.backbone.depths),
            "channels": list(self.backbone.channels),
            "patch_size": self.token_size,
            "in_channels": self._stem.in_channels,
            "layer_scale": block.gamma is not None,
            "grn": block.grn is not None,
            "linear_pointwise": bool(block.linear_pw_conv),
        }

    def may_be_missing(self) -> tuple[str, ...]:
        """Output norms of the earlier stages, which only dense tasks have."""
        earlier = "".join(str(stage) for stage in range(self.backbone.num_stages - 1))
        return (rf"norm[{earlier}]\.(weight|bias)",)

    def may_be_unexpected(self) -> tuple[str, ...]:
        """The same norms after a pretraining whose decoder reads every stage."""
        return self.may_be_missing()
