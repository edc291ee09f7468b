"""Multi-head attention pooling: one learned query looks at a feature map.

Papers: Set Transformer (https://arxiv.org/abs/1810.00825, section 3.2), and as the head of a ViT
Scaling Vision Transformers (https://arxiv.org/abs/2106.04560, appendix: MAP).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUERY_STD = 0.02


class AttentionPool(nn.Module):
    """One vector of the width of a feature map.

    Args:
        channels: C of the map.
        heads: Attention heads.

    Raises:
        ValueError: If the heads do not divide the channels.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads do not divide {channels} channels")
        self.query = nn.Parameter(torch.empty(1, 1, channels))
        nn.init.trunc_normal_(self.query, std=QUERY_STD)
        self.norm = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, heads, batch_first=True)

    def forward(self, features: Tensor) -> Tensor:
        """Pool maps (B, C, h, w) to (B, C)."""
        tokens = self.norm(features.flatten(2).transpose(1, 2))  # (B, h * w, C)
        query = self.query.expand(len(tokens), -1, -1)
        pooled: Tensor = self.attention(query, tokens, tokens, need_weights=False)[0]
        return pooled[:, 0]
