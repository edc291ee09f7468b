"""What backbones share whose images are masked: ResNet, ConvNeXt, the plain CNN, timm's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor, nn

from simmim_bench.backbones.base import BackboneAdapter, Resized
from simmim_bench.backbones.mask_hooks import replace_masked_pixels

INIT_STD = 0.02


class PixelAdapter(BackboneAdapter):
    """Images are masked before the backbone sees them; no parameter depends on their size."""

    @property
    def token_channels(self) -> int:
        """Those of the images."""
        return self.in_channels

    def masked(self, mask: Tensor, mask_token: Tensor) -> AbstractContextManager[None]:
        """See ``BackboneAdapter.masked``."""
        return replace_masked_pixels(self.backbone, mask, mask_token, token_size=self.token_size)

    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """The last level, (B, C, h, w)."""
        return outputs[-1]

    def init_mask_token(self, mask_token: Tensor) -> None:
        """Normal of 0.02, truncated at +-2: nearly the mean colour of normalised images.

        Not exactly the mean, since ReLU passes no gradient where its inputs are all 0. The value is
        that of
        https://github.com/Westlake-AI/openmixup/blob/main/openmixup/models/backbones/mim_resnet.py
        """
        nn.init.trunc_normal_(mask_token, std=INIT_STD)

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:  # noqa: ARG002
        """The mask token alone."""
        return param_name == "mask_token"

    def sizes(self) -> dict[str, Any]:
        """None: images of any size fit."""
        return {}

    def resize(
        self,
        state: Mapping[str, Tensor],
        sizes: Mapping[str, Any],  # noqa: ARG002
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Nothing to resize."""
        return dict(state), []

    def may_be_missing(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def may_be_unexpected(self) -> tuple[str, ...]:
        """Nothing."""
        return ()
