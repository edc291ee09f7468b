"""Contrastive loss between masked views of an image.

Each view must find the other views of its image among those of the batch: SimCLR
(https://arxiv.org/abs/2002.05709) with masked views, and with a momentum teacher MoCo v3
(https://arxiv.org/abs/2104.02057) whose teacher sees whole views, as in MSN
(https://arxiv.org/abs/2204.07141) and CMAE (https://arxiv.org/abs/2207.13532).
"""

from __future__ import annotations

import math
from itertools import permutations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from simmim_bench.backbones import BackboneAdapter
from simmim_bench.contrast.attention_pool import AttentionPool
from simmim_bench.contrast.momentum_teacher import MomentumTeacher
from simmim_bench.losses.in_batch import in_batch_cross_entropy


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
