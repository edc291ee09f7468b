"""Adapter for Swin Transformer V2 (https://arxiv.org/abs/2111.09883).

The class is ``mmpretrain.SwinTransformerV2``. Position biases come from a small network over
coordinates, so nothing is resized when the window changes; but the network's coordinates are
scaled by the window of pretraining, which ``pretrained_window_sizes`` states.
Reference: https://github.com/microsoft/Swin-Transformer/blob/main/models/swin_transformer_v2.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmpretrain.models.backbones import SwinTransformerV2
from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec, Resized, register_adapter
from simmim_bench.backbones.swin import SwinAdapter
from simmim_bench.errors import BenchError


@register_adapter
class SwinV2Adapter(SwinAdapter):
    """Swin V2: tokens are masked after patch embedding; coordinates are never loaded."""

    name = "swinv2"
    backbone_type = SwinTransformerV2
    visible_encoder = None
    recomputed = (r"(.*\.)?(relative_position_index|relative_coords_table)",)
    keywords_without_decay = ("cpb_mlp", "logit_scale")

    @property
    def levels(self) -> FeatureSpec:
        """One level a stage; patches are merged at the start of a stage."""
        stages = range(len(self.backbone.stages))
        return FeatureSpec(
            strides=tuple(self.token_size * 2**i for i in stages),
            channels=tuple(self.backbone.embed_dims * 2**i for i in stages),
        )

    def init_weights(self, *, pretraining: bool) -> None:
        """As Swin; the norms at the end of each branch start at 0, so that blocks pass through."""
        super().init_weights(pretraining=pretraining)
        for stage in self.backbone.stages:
            for block in stage.blocks:
                for norm in (block.norm1, block.norm2):
                    nn.init.zeros_(norm.weight)

    @property
    def num_layers(self) -> int:
        """Stem, one level per block, and the last norm."""
        return int(sum(self.backbone.depths)) + 2

    def layer_id(self, param_name: str) -> int:
        """Level of a parameter; a patch merging goes with the block before it.

        As ``get_swin_layer`` of the original's optimizer.py.
        """
        parts = param_name.split(".")
        if parts[0] in ("patch_embed", "absolute_pos_embed"):
            return 0
        if parts[0] != "stages":
            return self.num_layers - 1
        before = int(sum(self.backbone.depths[: int(parts[1])]))
        return before if parts[2] == "downsample" else before + int(parts[3]) + 1

    def architecture(self) -> dict[str, Any]:
        """See ``BackboneAdapter.architecture``."""
        every = self.backbone.extra_norm_every_n_blocks
        return {**super().architecture(), "extra_norm_every_n_blocks": every}

    def sizes(self) -> dict[str, Any]:
        """Image, token grid, and one window per stage."""
        return {
            "image_size": list(self.backbone.patch_embed.init_input_size),
            "token_grid": list(self.backbone.patch_resolution),
            "window_size": [stage.blocks[0].attn.window_size for stage in self.backbone.stages],
        }

    def resize(
        self, state: Mapping[str, Tensor], sizes: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Resize an absolute embedding; check the windows that scale the coordinates.

        Raises:
            BenchError: If the coordinates are not scaled by the windows of pretraining; then
                ``pretrained_window_sizes`` must be set.
        """
        pretrained, own = list(sizes["window_size"]), self.sizes()["window_size"]
        scaled = [
            _scaling_window(stage.blocks[0].attn.w_msa.relative_coords_table, window)
            for stage, window in zip(self.backbone.stages, own, strict=True)
        ]
        if scaled != pretrained:
            raise BenchError(
                f"the backbone was pretrained with windows {pretrained}, but the config scales its "
                f"position biases by {scaled}; set pretrained_window_sizes={pretrained}"
            )
        return super().resize(state, sizes)


def _scaling_window(coordinates: Tensor, window: int) -> int:
    """Window that a block's coordinates are scaled by, from the largest of them.

    It is log2(1 + 8 * (window - 1) / (scaling - 1)) / log2(8).
    """
    largest = float(coordinates.max())
    return round(1 + 8 * (window - 1) / (8**largest - 1)) if largest else window
