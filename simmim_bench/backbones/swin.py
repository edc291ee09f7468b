"""Adapter for Swin Transformer (https://arxiv.org/abs/2103.14030).

The class is ``mmpretrain.SwinTransformer`` in pretraining and in every task; dense tasks set
``pad_small_map=True`` and ``out_indices=(0, 1, 2, 3)``. SimMIM pretrains Swin with
``drop_path_rate=0.0``, which is not the class's default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from mmpretrain.models.backbones import SwinTransformer
from torch import Tensor, nn

from simmim_bench.backbones.base import (
    BackboneAdapter,
    FeatureSpec,
    Resized,
    VisibleEncoder,
    register_adapter,
)
from simmim_bench.backbones.mask_hooks import replace_masked_tokens
from simmim_bench.backbones.resize import resize_bias_table, resize_position_embedding
from simmim_bench.backbones.sparse.swin import VISIBLE_SWIN

INIT_STD = 0.02


@register_adapter
class SwinAdapter(BackboneAdapter):
    """Swin: tokens are masked after patch embedding; windows may change between stages."""

    name = "swin"
    backbone_type = SwinTransformer
    visible_encoder: ClassVar[VisibleEncoder | None] = VISIBLE_SWIN

    @property
    def feature_spec(self) -> FeatureSpec:
        """Levels named by ``out_indices``."""
        return self.levels.at(self.backbone.out_indices)

    @property
    def levels(self) -> FeatureSpec:
        """One level a stage."""
        backbone = self.backbone
        strides, stride = [], self.token_size
        for stage in backbone.stages:
            after = stride * (stage.downsample.sampler.stride[0] if stage.downsample else 1)
            strides.append(after if backbone.out_after_downsample else stride)
            stride = after
        return FeatureSpec(tuple(strides), tuple(backbone.num_features))

    @property
    def token_size(self) -> int:
        """Stride of the patch embedding."""
        return int(self.backbone.patch_embed.projection.stride[0])

    @property
    def token_channels(self) -> int:
        """Width of the first stage."""
        return int(self.backbone.embed_dims)

    def masked(self, mask: Tensor, mask_token: Tensor) -> AbstractContextManager[None]:
        """See ``BackboneAdapter.masked``."""
        return replace_masked_tokens(self.backbone.patch_embed, mask, mask_token)

    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """The last level, already (B, C, h, w)."""
        return outputs[-1]

    def stages(self) -> list[Sequence[nn.Module]]:
        """Blocks by stage."""
        return [stage.blocks for stage in self.backbone.stages]

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Linear: normal of 0.02 truncated at +-2; norms 1 and 0; convolution: torch's default."""
        for module in self.backbone.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif hasattr(module, "relative_position_bias_table"):
                nn.init.trunc_normal_(module.relative_position_bias_table, std=INIT_STD)
        if self.backbone.use_abs_pos_embed:
            nn.init.trunc_normal_(self.backbone.absolute_pos_embed, std=INIT_STD)

    def init_mask_token(self, mask_token: Tensor) -> None:
        """Normal of 0.02, truncated at +-2."""
        nn.init.trunc_normal_(mask_token, std=INIT_STD)

    keywords_without_decay: ClassVar[tuple[str, ...]] = ("relative_position_bias_table",)
    """Parts of names that the original exempts from weight decay in tasks."""

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:
        """Mask token and absolute position embedding; in tasks, position biases too."""
        if param_name in {"mask_token", "absolute_pos_embed"}:
            return True
        return not pretraining and any(part in param_name for part in self.keywords_without_decay)

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        backbone = self.backbone
        return {
            "embed_dims": backbone.embed_dims,
            "depths": list(backbone.depths),
            "num_heads": list(backbone.num_heads),
            "patch_size": self.token_size,
            "in_channels": backbone.patch_embed.projection.in_channels,
            "absolute_position": bool(backbone.use_abs_pos_embed),
        }

    def sizes(self) -> dict[str, Any]:
        """Image and window size; windows are square."""
        return {
            "image_size": list(self.backbone.patch_embed.init_input_size),
            "token_grid": list(self.backbone.patch_resolution),
            "window_size": self.backbone.stages[0].blocks[0].attn.window_size,
        }

    def resize(
        self, state: Mapping[str, Tensor], sizes: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Resize bias tables to this backbone's windows, and an absolute embedding to its grid."""
        fitted, resized = dict(state), []
        own = self.backbone.state_dict()
        for key, value in state.items():
            target = own.get(key)
            if target is None or target.shape == value.shape:
                continue
            if key.endswith("relative_position_bias_table"):
                fitted[key] = resize_bias_table(
                    value, source=_window(value), target=_window(target)
                )
            elif key == "absolute_pos_embed":
                grids = sizes["token_grid"], self.backbone.patch_resolution
                fitted[key] = resize_position_embedding(value, source=grids[0], target=grids[1])
            else:
                continue
            resized.append(Resized(key, tuple(value.shape), tuple(fitted[key].shape)))
        return fitted, resized

    def may_be_missing(self) -> tuple[str, ...]:
        """Output norms of the earlier stages, which only dense tasks read."""
        earlier = "".join(str(i) for i in range(self.backbone.num_layers - 1))
        return (rf"norm[{re.escape(earlier)}]\.(weight|bias)",)

    def may_be_unexpected(self) -> tuple[str, ...]:
        """The same norms after a pretraining whose decoder reads every stage."""
        return self.may_be_missing()


def _window(table: Tensor) -> tuple[int, int]:
    """Window of a square table of (2 * window - 1) ** 2 rows."""
    side = (math.isqrt(table.shape[0]) + 1) // 2
    return side, side
