"""The last level of any backbone as one vector or as tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simmim_bench.backbones import adapter_for


def image_channels(backbone: nn.Module) -> int:
    """Channels of the backbone's last level."""
    return adapter_for(backbone).feature_spec.channels[-1]


def pooled(backbone: nn.Module, images: Tensor) -> Tensor:
    """Mean over the positions of the last level, (B, C); as it is if the backbone pools."""
    features: Tensor = backbone(images)[-1]
    return features.flatten(2).mean(2) if features.ndim == 4 else features


def image_tokens(backbone: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the last level as tokens.

    Returns:
        Features, (B, N, C), and where they lie, (N, 2): x and y of their centres from -1 to 1.

    Raises:
        ValueError: If the backbone returns no map.
    """
    features: Tensor = backbone(images)[-1]
    if features.ndim != 4:
        raise ValueError(
            f"the backbone returns {tuple(features.shape)}, expected a map (B, C, H, W); give a "
            "ViT out_type='featmap', a ConvNeXt gap_before_final_norm=False"
        )
    height, width = features.shape[2:]
    y, x = (
        (2 * torch.arange(side, device=features.device) + 1) / side - 1 for side in (height, width)
    )
    places = torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)
    return features.flatten(2).transpose(1, 2), places.to(features.dtype)
