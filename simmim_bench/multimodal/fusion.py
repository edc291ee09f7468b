"""Two ways to bring an image and a question together."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from simmim_bench.multimodal.text_encoder import text_mean
from simmim_bench.registry import MODELS


@MODELS.register_module()
class ConcatenationFusion(BaseModule):
    """Pooled image and pooled question side by side, then one hidden layer.

    As the VQA baseline of https://arxiv.org/abs/1505.00468, section 4, which multiplies where this
    one concatenates.

    Args:
        image_channels: Channels of the image tokens.
        text_channels: Channels of the question's tokens.
        channels: Width of the hidden layer and of the output.
    """

    def __init__(self, *, image_channels: int, text_channels: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.hidden = nn.Sequential(
            nn.LayerNorm(image_channels + text_channels),
            nn.Linear(image_channels + text_channels, channels),
            nn.GELU(),
        )

    def forward(self, image: Tensor, places: Tensor, text: Tensor, padding: Tensor) -> Tensor:  # noqa: ARG002
        """Fuse.

        Args:
            image: Image tokens, (B, N, image_channels).
            places: Their positions, (N, 2); not used: a mean has none.
            text: Tokens of the question, (B, L, text_channels).
            padding: Where these are padding, (B, L), bool.

        Returns:
            (B, channels).
        """
        fused: Tensor = self.hidden(torch.cat([image.mean(1), text_mean(text, padding)], dim=1))
        return fused


@MODELS.register_module()
class CrossAttentionFusion(BaseModule):
    """Words of the question attend to positions of the image: ``torch.nn.TransformerDecoder``.

    Args:
        image_channels: Channels of the image tokens.
        text_channels: Channels of the question's tokens.
        channels: Width of the layers and of the output.
        depth: Number of layers.
        num_heads: Attention heads; divides ``channels``.
    """

    def __init__(
        self,
        *,
        image_channels: int,
        text_channels: int,
        channels: int,
        depth: int,
        num_heads: int,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.image = nn.Linear(image_channels, channels)
        self.place = nn.Linear(2, channels)
        self.text = nn.Linear(text_channels, channels)
        layer = nn.TransformerDecoderLayer(
            channels,
            num_heads,
            dim_feedforward=4 * channels,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerDecoder(layer, depth, norm=nn.LayerNorm(channels))

    def forward(self, image: Tensor, places: Tensor, text: Tensor, padding: Tensor) -> Tensor:
        """Fuse; see ``ConcatenationFusion.forward``."""
        memory = self.image(image) + self.place(places)  # (B, N, channels)
        attended = self.layers(self.text(text), memory, tgt_key_padding_mask=padding)
        return text_mean(attended, padding)
