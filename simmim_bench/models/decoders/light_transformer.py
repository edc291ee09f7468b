"""A light transformer for sparse pretraining: MAE's decoder in GreenMIM's size.

Papers: https://arxiv.org/abs/2111.06377, section 3; https://arxiv.org/abs/2205.13515, section 4.
"""

from __future__ import annotations

from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from mmpretrain.models.utils import build_2d_sincos_position_embedding
from torch import Tensor, nn

from simmim_bench.backbones.base import FeatureSpec
from simmim_bench.models.decoders.simple import Decoder
from simmim_bench.registry import MODELS

POSITION_MULTIPLE = 4  # sine and cosine of rows and of columns


@MODELS.register_module()
class LightTransformerDecoder(Decoder):
    """Linear embedding, fixed sine-cosine positions, blocks of full attention, linear prediction.

    Its input has the mask tokens already (``SparseSimMIM``).

    Args:
        feature_spec: See ``Decoder``.
        out_channels: See ``Decoder``.
        target_stride: See ``Decoder``.
        width: Channels of the blocks; a multiple of 4 and of ``heads``.
        depth: Number of blocks; GreenMIM uses 1 after a Swin, MAE 8 after a ViT.
        heads: Attention heads.

    Raises:
        ValueError: If the width is not such a multiple.
    """

    def __init__(
        self,
        *,
        feature_spec: FeatureSpec,
        out_channels: int = 3,
        target_stride: int = 1,
        width: int = 512,
        depth: int = 1,
        heads: int = 16,
    ) -> None:
        super().__init__(
            feature_spec=feature_spec, out_channels=out_channels, target_stride=target_stride
        )
        if width % POSITION_MULTIPLE or width % heads:
            raise ValueError(
                f"width {width} must be divisible by {POSITION_MULTIPLE} and by heads {heads}"
            )
        self.width = width
        self.embedding = nn.Linear(self.in_channels, width)
        self.blocks = nn.ModuleList(
            TransformerEncoderLayer(width, heads, 4 * width) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.projection = nn.Linear(width, self.upscale**2 * out_channels)
        self.shuffle = nn.PixelShuffle(self.upscale)
        for module in self.modules():  # MAE, models_mae.py
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def decode(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, out_channels, h * upscale, w * upscale)."""
        rows, columns = features.shape[2:]
        tokens = self.embedding(features.flatten(2).transpose(1, 2))  # (B, h * w, width)
        # mmpretrain numbers positions column by column; for the transposed grid, row by row
        positions = build_2d_sincos_position_embedding((columns, rows), self.width)
        tokens = tokens + positions.to(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.projection(self.norm(tokens)).transpose(1, 2)
        return self.shuffle(tokens.unflatten(2, (rows, columns)))
