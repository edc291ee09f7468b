"""Adapter for the plain ViT (https://arxiv.org/abs/2010.11929), ``mmpretrain.VisionTransformer``.

A learnable absolute position embedding, no relative bias, no layer scale: the ViT of MAE and
DeiT, where the original SimMIM has BEiT's. Options:

- pretraining: ``out_type='featmap', final_norm=True``.
- classification: ``out_type='avg_featmap', final_norm=False``: ``ln2`` normalises the mean of
  the patch tokens, as in MAE's fine-tuning; ``ln1`` is dropped and ``ln2`` is new.
- dense tasks: ``out_type='featmap', final_norm=False``, a few ``out_indices``, and
  ``simmim_bench``'s feature pyramid; ``simmim_bench.WindowedViT`` for large images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmpretrain.models.backbones import VisionTransformer
from torch import Tensor, nn

from simmim_bench.backbones.base import Resized
from simmim_bench.backbones.columnar import ColumnarAdapter
from simmim_bench.backbones.resize import resize_position_embedding

INIT_STD = 0.02


class PlainViTAdapter(ColumnarAdapter):
    """Plain ViT: one stride, an absolute position embedding that is resized bicubically."""

    name = "plain_vit"
    backbone_type = VisionTransformer

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
