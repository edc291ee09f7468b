"""Contrastive loss between masked views of an image.

Each view must find the other views of its image among those of the batch: SimCLR
(https://arxiv.org/abs/2002.05709) with masked views, and with a momentum teacher MoCo v3
(https://arxiv.org/abs/2104.02057) whose teacher sees whole views, as in MSN
(https://arxiv.org/abs/2204.07141) and CMAE (https://arxiv.org/abs/2207.13532).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import torch
from mmpretrain.models.utils import CosineEMA
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.models.losses.similarity import in_batch_cross_entropy


class ViewContrast(nn.Module):
    """Mean over ordered pairs of views i != j of InfoNCE from queries of i to keys of j.

    Vectors are attention pooling and a projection head of the last feature map, of length 1. Keys
    are those of the other views; with a teacher they are the teacher's of whole views, and queries
    go through a prediction head first.

    Args:
        adapter: Of the student's backbone.
        views: N, views of an image.
        heads: Attention heads of the pooling.
        hidden: Width inside the projection and prediction heads.
        dims: D, length of a vector.
        temperature: Divides cosine similarities.
        momentum: Of the teacher at the beginning; None: no teacher.

    Raises:
        ValueError: If there are fewer than two views or the temperature is not positive and
            finite.
    """

    def __init__(
        self,
        adapter: BackboneAdapter,
        *,
        views: int,
        heads: int,
        hidden: int,
        dims: int,
        temperature: float,
        momentum: float | None = None,
    ) -> None:
        super().__init__()
        if views < 2 or not 0 < temperature < math.inf:
            raise ValueError(
                f"{views} views with temperature {temperature}; two or more views are compared, "
                "with a positive, finite temperature"
            )
        self.views = views
        self.temperature = temperature
        channels = adapter.feature_spec.channels[-1]
        pool = AttentionPool(channels=channels, heads=heads)
        self.embed = nn.Sequential(pool, _head(channels, hidden, dims))
        self.predict: nn.Module = nn.Identity()
        self.teacher = None
        if momentum is not None:
            self.predict = _head(dims, hidden, dims)
            self.teacher = MomentumTeacher(adapter.backbone, self.embed, momentum=momentum)

    def forward(self, images: Tensor, features: Tensor, backbone: nn.Module) -> Tensor:
        """Loss of a batch of views.

        Args:
            images: Whole views, (N * B, 3, H, W), as ``stack_views`` gives them.
            features: Last feature maps of the masked views, (N * B, C, h, w).
            backbone: The student's, which the teacher follows in training.

        Returns:
            Scalar.

        Raises:
            ValueError: If the images are no N views.
        """
        if len(images) % self.views:
            raise ValueError(
                f"{len(images)} images are no {self.views} views each; give MultiView "
                f"num_views=[{self.views}], or the model views as the pipeline has"
            )
        vectors = self.embed(features)
        queries = normalize(self.predict(vectors), dim=1).chunk(self.views)
        keys = normalize(self._keys(images, vectors, backbone), dim=1).chunk(self.views)
        losses = [
            in_batch_cross_entropy(queries[i], keys[j], 1 / self.temperature)
            for i, j in permutations(range(self.views), 2)
        ]
        return torch.stack(losses).mean()

    def _keys(self, images: Tensor, vectors: Tensor, backbone: nn.Module) -> Tensor:
        if self.teacher is None:
            return vectors
        if self.training:
            self.teacher.follow(backbone, self.embed)
        found: Tensor = self.teacher(images)
        return found


def _head(channels: int, hidden: int, dims: int) -> nn.Sequential:
    """SimCLR's projection head, W2 relu(W1 h), section 2.1; no batch norm, which needs a batch."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, dims))


# Multi-head attention pooling: one learned query looks at a feature map.
#
# Papers: Set Transformer (https://arxiv.org/abs/1810.00825, section 3.2), and as the head of a ViT
# Scaling Vision Transformers (https://arxiv.org/abs/2106.04560, appendix: MAP).


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


# A teacher whose weights follow the student's (MoCo v3, https://arxiv.org/abs/2104.02057).


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


# Views as one batch: all first views, then all second ones, and so on.


def stack_views(inputs: Tensor | Sequence[Tensor]) -> Tensor:
    """N times (B, 3, H, W) as (N * B, 3, H, W); images alone as they are."""
    return inputs if isinstance(inputs, Tensor) else torch.cat(list(inputs))


def masks_of_views(mask: Tensor) -> Tensor:
    """(B, N, h, w) as (N * B, h, w); masks of images alone, (B, h, w), as they are."""
    return mask.transpose(0, 1).flatten(0, 1) if mask.ndim == 4 else mask
