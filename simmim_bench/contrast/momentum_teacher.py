"""A teacher whose weights follow the student's (MoCo v3, https://arxiv.org/abs/2104.02057)."""

from __future__ import annotations

import torch
from mmpretrain.models.utils import CosineEMA
from torch import Tensor, nn

from simmim_bench.backbones import adapter_for


class MomentumTeacher(nn.Module):
    """Copy of backbone and embedding: teacher = m teacher + (1 - m) student at every step.

    m rises from ``momentum`` to 1 along half a cosine (BYOL, https://arxiv.org/abs/2006.07733,
    section 3.2); the number of steps done is in the state dict, so it is right after a resume.

    Args:
        backbone: The student's.
        embed: From its last feature map to vectors.
        momentum: m at the beginning.

    Raises:
        ValueError: If ``momentum`` is not in (0, 1).
    """

    def __init__(self, backbone: nn.Module, embed: nn.Module, *, momentum: float) -> None:
        super().__init__()
        if not 0 < momentum < 1:
            raise ValueError(f"momentum {momentum} is not in (0, 1); MoCo v3 uses 0.99")
        # mmpretrain counts what is new
        self.average = CosineEMA(nn.ModuleList([backbone, embed]), momentum=1 - momentum)
        self.adapter = adapter_for(self.average.module[0])

    def follow(self, backbone: nn.Module, embed: nn.Module) -> None:
        """Take a step towards the student; the first one makes both equal."""
        self.average.update_parameters(nn.ModuleList([backbone, embed]))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Vectors (B, D) of whole images (B, 3, H, W)."""
        backbone, embed = self.average.module
        vectors: Tensor = embed(self.adapter.last_feature_map(backbone(images)))
        return vectors
