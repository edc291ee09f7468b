"""Features of the encoder that is being trained; needs no other network."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from simmim_bench.backbones import BackboneAdapter
from simmim_bench.features.base import Levels, PairFeatures
from simmim_bench.registry import MODELS


@MODELS.register_module()
class OwnFeatures(PairFeatures):
    """Last feature map of the encoder, which sees whole images here.

    Args:
        learn: Whether the loss changes how the encoder sees reconstruction and original, too.
            Only a loss with negatives may: without them constant features would be its minimum.
            False: weights count as constants, and the loss changes what is painted only.
    """

    def __init__(self, *, learn: bool) -> None:
        super().__init__()
        self.learn = learn

    def forward(
        self, painted: Tensor, original: Tensor, adapter: BackboneAdapter
    ) -> tuple[Levels, Levels]:
        """See ``PairFeatures.forward``; one level."""
        backbone = adapter.backbone
        if self.learn:
            own, other = (backbone(images) for images in (painted, original))
        else:
            fixed = {name: value.detach() for name, value in backbone.named_parameters()}
            own = functional_call(backbone, fixed, (painted,))
            with torch.no_grad():
                other = backbone(original)
        return [adapter.last_feature_map(own)], [adapter.last_feature_map(other)]
