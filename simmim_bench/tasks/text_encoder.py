"""A small text transformer over bytes, and image features for tasks with text.

Bytes as tokens (https://arxiv.org/abs/2105.13626) need no vocabulary that would have to be learned
from the training captions and stored, and no token is unknown at test time.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from simmim_bench.backbones import adapter_for
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS

PADDING, START = 256, 257
TOKENS = 258  # 256 bytes, padding, start
STD = 0.02  # of the token embedding, as in CLIP's model.py; half of it for positions


@MODELS.register_module()
class ByteTextEncoder(BaseModule):
    """``torch.nn.TransformerEncoder`` over the UTF-8 bytes of lower-case sentences.

    Args:
        channels: Width C.
        depth: Number of layers.
        num_heads: Attention heads; divides ``channels``.
        max_bytes: Longer sentences are cut.
        dropout: Dropout of the layers.
    """

    def __init__(
        self,
        *,
        channels: int,
        depth: int,
        num_heads: int,
        max_bytes: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.max_bytes = max_bytes
        self.embedding = nn.Embedding(TOKENS, channels, padding_idx=PADDING)
        self.position = nn.Parameter(torch.empty(max_bytes + 1, channels))
        layer = nn.TransformerEncoderLayer(
            channels,
            num_heads,
            dim_feedforward=4 * channels,
            dropout=dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(
            layer, depth, norm=nn.LayerNorm(channels), enable_nested_tensor=False
        )
        nn.init.normal_(self.embedding.weight, std=STD)
        nn.init.normal_(self.position, std=STD / 2)

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Tokens of sentences with a start token, padded with ``PADDING``, (B, L), int64.

        Raises:
            BenchError: If a sentence is empty.
        """
        rows = []
        for sentence in sentences:
            content = sentence.strip().lower().encode()[: self.max_bytes]
            if not content:
                raise BenchError("a caption or question is empty; correct or remove it")
            rows.append(torch.tensor([START, *content]))
        tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)
        return tokens.to(self.position.device)

    def forward(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode sentences.

        Returns:
            Features of the tokens, (B, L, C), and padding, Bool (B, L); True = padding.

        Raises:
            BenchError: If a sentence is empty.
        """
        tokens = self.tokenize(sentences)
        padding = tokens == PADDING
        embedded = self.embedding(tokens) + self.position[: tokens.shape[1]]
        return self.layers(embedded, src_key_padding_mask=padding), padding

    def pooled(self, sentences: Sequence[str]) -> Tensor:
        """Mean over the tokens of each sentence, (B, C)."""
        features, padding = self(sentences)
        return text_mean(features, padding)


def text_mean(text: Tensor, padding: Tensor) -> Tensor:
    """Mean over the tokens that are not padding, (B, C)."""
    kept = (~padding).unsqueeze(2).to(text.dtype)  # (B, L, 1)
    return (text * kept).sum(1) / kept.sum(1)


def image_channels(backbone: nn.Module) -> int:
    """Channels of the backbone's last level."""
    return adapter_for(backbone).feature_spec.channels[-1]


def pooled(backbone: nn.Module, images: Tensor) -> Tensor:
    """Last level of the backbone, (B, C): the mean over positions, if there are any."""
    features: Tensor = backbone(images)[-1]
    return features.flatten(2).mean(2) if features.ndim == 4 else features


def image_tokens(backbone: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the last level as tokens.

    Returns:
        Features, (B, N, C), and positions, (N, 2): x and y of their centres from -1 to 1.

    Raises:
        ValueError: If the backbone does not return a map.
    """
    features: Tensor = backbone(images)[-1]
    if features.ndim != 4:
        raise ValueError(
            f"the backbone must return a map (B, C, H, W), got {tuple(features.shape)}; set "
            "out_type='featmap' in a ViT, gap_before_final_norm=False in a ConvNeXt"
        )
    height, width = features.shape[2:]
    y, x = (
        (2 * torch.arange(side, device=features.device) + 1) / side - 1 for side in (height, width)
    )
    places = torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)
    return features.flatten(2).transpose(1, 2), places.to(features.dtype)
