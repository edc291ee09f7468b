"""What transformers of one stride share: the BEiT-style ViT and the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from simmim_bench.backbones.base import BackboneAdapter, FeatureSpec
from simmim_bench.backbones.token_hook import replace_masked_tokens


class ColumnarAdapter(BackboneAdapter):
    """Tokens of one size from the patch embedding to the last block."""

    @property
    def feature_spec(self) -> FeatureSpec:
        """One entry per output block, all of the patch stride."""
        levels = len(self.backbone.out_indices)
        return FeatureSpec((self.token_size,) * levels, (self.backbone.embed_dims,) * levels)

    @property
    def token_size(self) -> int:
        """Stride of the patch embedding."""
        return int(self.backbone.patch_embed.projection.stride[0])

    @property
    def token_channels(self) -> int:
        """Width of the transformer."""
        return int(self.backbone.embed_dims)

    def masked(self, mask: Tensor, mask_token: Tensor) -> AbstractContextManager[None]:
        """See ``BackboneAdapter.masked``."""
        return replace_masked_tokens(self.backbone.patch_embed, mask, mask_token)

    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """The last output, (B, C, h, w).

        Raises:
            ValueError: If the backbone does not return feature maps.
        """
        if self.backbone.out_type != "featmap":
            raise ValueError(
                f"{type(self.backbone).__name__} has out_type={self.backbone.out_type!r} and "
                f"returns no feature map; set out_type='featmap'"
            )
        return outputs[-1]

    def sizes(self) -> dict[str, Any]:
        """Image size and token grid, rows first."""
        return {
            "image_size": list(self.backbone.img_size),
            "token_grid": list(self.backbone.patch_resolution),
        }

    def may_be_missing(self) -> tuple[str, ...]:
        """Norm of the mean of the patch tokens, which only classification has."""
        return (r"ln2\.(weight|bias)",)

    def may_be_unexpected(self) -> tuple[str, ...]:
        """Final norm of pretraining, where the task has none."""
        return () if self.backbone.final_norm else (r"ln1\.(weight|bias)",)
