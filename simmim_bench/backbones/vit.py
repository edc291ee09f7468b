"""Adapters for ViTs of one stride: the BEiT-style ViT of SimMIM, and the plain ViT of MAE and DeiT.

``vit`` is ``mmpretrain.BEiTViT``: relative position bias, layer scale. Options that make it equal
to the original SimMIM's model:

- always: ``with_cls_token=True``, ``layer_scale_init_value=0.1``, ``bias='qv_bias'``,
  ``norm_cfg=dict(type='LN', eps=1e-6)`` (class defaults), and
  ``layer_cfgs=dict(ffn_cfg=dict(add_identity=False, dropout_layer=None))``, because the
  class otherwise applies drop path twice to the feed-forward branch.
- pretraining: ``out_type='featmap', final_norm=True, use_rel_pos_bias=False,
  use_shared_rel_pos_bias=True``: one bias table for all blocks; ``ln1`` is the final norm.
- classification: ``out_type='avg_featmap', final_norm=False, use_rel_pos_bias=True``: one
  bias table per block, no final norm, and ``ln2`` normalises the mean of the patch tokens
  (the original's ``fc_norm``). So ``ln1`` is dropped and ``ln2`` is new.
- dense tasks: ``out_type='featmap', final_norm=False, use_rel_pos_bias=True``; the position
  bias fixes the input to ``img_size``. ``simmim_bench.WindowedBEiTViT`` adds windows, whose
  position bias has the size of a window.

``plain_vit`` is ``mmpretrain.VisionTransformer`` (https://arxiv.org/abs/2010.11929): a learnable
absolute position embedding, no relative bias, no layer scale. Options:

- pretraining: ``out_type='featmap', final_norm=True``.
- classification: ``out_type='avg_featmap', final_norm=False``: ``ln2`` normalises the mean of
  the patch tokens, as in MAE's fine-tuning; ``ln1`` is dropped and ``ln2`` is new.
- dense tasks: ``out_type='featmap', final_norm=False``, a few ``out_indices``, and
  ``simmim_bench``'s feature pyramid; ``simmim_bench.WindowedViT`` for large images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from mmpretrain.models.backbones import BEiTViT, VisionTransformer
from torch import Tensor, nn

from simmim_bench.backbones.base import BackboneAdapter, FeatureSpec, Resized, register_adapter
from simmim_bench.backbones.mask_hooks import replace_masked_tokens
from simmim_bench.backbones.resize import resize_bias_table, resize_position_embedding
from simmim_bench.backbones.sparse.vit import VISIBLE_VIT

INIT_STD = 0.02
EXTRA_BIASES = 3  # class token to patch, patch to class token, class token to itself
SHARED_TABLE = "rel_pos_bias.relative_position_bias_table"


class ColumnarAdapter(BackboneAdapter):
    """Tokens of one size from the patch embedding to the last block."""

    @property
    def feature_spec(self) -> FeatureSpec:
        """One entry per output block, all of the patch stride."""
        levels = len(self.backbone.out_indices)
        return FeatureSpec((self.token_size,) * levels, (self.backbone.embed_dims,) * levels)

    @property
    def levels(self) -> FeatureSpec:
        """One level: all blocks return maps of one size."""
        return FeatureSpec((self.token_size,), (self.backbone.embed_dims,))

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

    def stages(self) -> list[Sequence[nn.Module]]:
        """All blocks, as one stage."""
        return [self.backbone.layers]

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


@register_adapter
class ViTAdapter(ColumnarAdapter):
    """BEiT-style ViT: one stride, a class token, relative position bias."""

    name = "vit"
    backbone_type = BEiTViT

    def init_weights(self, *, pretraining: bool) -> None:
        """Linear, convolution, class token: normal of 0.02; projections shrink with depth.

        The original truncates at one standard deviation in pretraining and at +-2 (that is,
        hardly) when it trains from scratch; bias tables start at 0.
        """
        bound = INIT_STD if pretraining else 2.0
        backbone = self.backbone
        for module in backbone.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=INIT_STD, a=-bound, b=bound)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        for name, parameter in backbone.named_parameters():
            if name in {"cls_token", "pos_embed"}:
                nn.init.trunc_normal_(parameter, std=INIT_STD, a=-bound, b=bound)
            elif name.endswith(("relative_position_bias_table", "q_bias", "v_bias")):
                nn.init.zeros_(parameter)
        for depth, layer in enumerate(backbone.layers, start=1):
            for projection in (layer.attn.proj, layer.ffn.layers[1]):
                projection.weight.data.div_(math.sqrt(2.0 * depth))

    def init_mask_token(self, mask_token: Tensor) -> None:
        """Normal of 0.02, truncated at one standard deviation."""
        nn.init.trunc_normal_(mask_token, std=INIT_STD, a=-INIT_STD, b=INIT_STD)

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:  # noqa: ARG002
        """Class token and absolute position embedding.

        Bias tables and the mask token do decay in the original, unlike Swin's.
        """
        return param_name in {"cls_token", "pos_embed"}

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        backbone = self.backbone
        settings = backbone.arch_settings
        return {
            "embed_dims": backbone.embed_dims,
            "num_layers": backbone.num_layers,
            "num_heads": settings["num_heads"],
            "feedforward_channels": settings["feedforward_channels"],
            "patch_size": self.token_size,
            "in_channels": backbone.patch_embed.projection.in_channels,
            "class_token": bool(backbone.with_cls_token),
            "layer_scale": backbone.layers[0].gamma_1 is not None,
            "absolute_position": backbone.pos_embed is not None,
            "relative_position": bool(backbone.rel_pos_bias or backbone.use_rel_pos_bias),
        }

    def sizes(self) -> dict[str, Any]:
        """Image size, token grid, and the windows of tables that cover less than the grid."""
        grid = tuple(self.backbone.patch_resolution)
        tables = {key: self._grid(key) for key, _ in self.backbone.named_parameters()}
        smaller = {
            key: list(window) for key, window in tables.items() if window not in (None, grid)
        }
        return {**super().sizes(), **({"windows": smaller} if smaller else {})}

    def resize(
        self, state: Mapping[str, Tensor], sizes: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Give each block its own copy of a shared table, then fit tables to this grid."""
        fitted, resized = self._one_table_per_block(state), []
        own = self.backbone.state_dict()
        windows = sizes.get("windows", {})  # of the blocks that had a table of their own
        for key, value in fitted.items():
            target = self._grid(key) if key in own else None
            source = tuple(windows.get(key, sizes["token_grid"]))
            if target is None or source == target:
                continue
            if key == "pos_embed":
                extra = self.backbone.num_extra_tokens
                fitted[key] = resize_position_embedding(
                    value, source=source, target=target, extra_tokens=extra
                )
            else:
                fitted[key] = resize_bias_table(
                    value, source=source, target=target, extra_rows=EXTRA_BIASES
                )
            resized.append(Resized(key, tuple(value.shape), tuple(fitted[key].shape)))
        return fitted, resized

    def may_be_unexpected(self) -> tuple[str, ...]:
        """Also the mask token, which mmpretrain's BEiT keeps in its backbone."""
        return (*super().may_be_unexpected(), "mask_token")

    def _grid(self, key: str) -> tuple[int, int] | None:
        """Token grid that a position parameter covers; None for other parameters."""
        if key == "pos_embed":
            return tuple(self.backbone.patch_resolution)
        module, _, name = key.rpartition(".")
        if name != "relative_position_bias_table":
            return None
        return tuple(self.backbone.get_submodule(module).window_size)

    def _one_table_per_block(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        expanded = dict(state)
        if self.backbone.use_rel_pos_bias and SHARED_TABLE in expanded:
            table = expanded.pop(SHARED_TABLE)
            for index in range(self.backbone.num_layers):
                key = f"layers.{index}.attn.relative_position_bias_table"
                expanded[key] = table.clone()
        return expanded


@register_adapter
class PlainViTAdapter(ColumnarAdapter):
    """Plain ViT: one stride, an absolute position embedding that is resized bicubically."""

    name = "plain_vit"
    backbone_type = VisionTransformer
    visible_encoder = VISIBLE_VIT

    def init_weights(self, *, pretraining: bool) -> None:  # noqa: ARG002 - the same for both
        """Linear, position embedding and class token: normal of 0.02, truncated at +-2.

        The original SimMIM has no such backbone; these are timm's values.
        """
        for module in self.backbone.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=INIT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
        for embedding in (self.backbone.pos_embed, self.backbone.cls_token):
            if embedding is not None:
                nn.init.trunc_normal_(embedding, std=INIT_STD)

    def init_mask_token(self, mask_token: Tensor) -> None:
        """Normal of 0.02, truncated at +-2."""
        nn.init.trunc_normal_(mask_token, std=INIT_STD)

    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:  # noqa: ARG002
        """Class token, position embedding and mask token."""
        return param_name in {"cls_token", "pos_embed", "mask_token"}

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        backbone = self.backbone
        return {
            "embed_dims": backbone.embed_dims,
            "num_layers": backbone.num_layers,
            "num_heads": backbone.arch_settings["num_heads"],
            "feedforward_channels": backbone.arch_settings["feedforward_channels"],
            "patch_size": self.token_size,
            "in_channels": backbone.patch_embed.projection.in_channels,
            "class_token": backbone.cls_token is not None,
            "layer_scale": not isinstance(backbone.layers[0].attn.gamma1, nn.Identity),
        }

    def resize(
        self, state: Mapping[str, Tensor], sizes: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Fit the position embedding to this backbone's token grid."""
        source, target = sizes["token_grid"], self.backbone.patch_resolution
        fitted, resized = dict(state), list[Resized]()
        if "pos_embed" in state and tuple(source) != tuple(target):
            fitted["pos_embed"] = resize_position_embedding(
                state["pos_embed"],
                source=source,
                target=target,
                extra_tokens=self.backbone.num_extra_tokens,
            )
            shapes = tuple(state["pos_embed"].shape), tuple(fitted["pos_embed"].shape)
            resized.append(Resized("pos_embed", *shapes))
        return fitted, resized
