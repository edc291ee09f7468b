"""1 - cosine of features at the same place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from simmim_bench.losses.similarity.base import FeatureDistance
from simmim_bench.registry import MODELS


@MODELS.register_module()
class CosineDistance(FeatureDistance):
    """Mean of ``1 - <f, g> / (|f| |g|)`` over images and positions, then over levels."""

    def distance(self, painted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``; 0 to 2."""
        levels = [
            1 - cosine_similarity(own, other, dim=1).mean()
            for own, other in zip(painted, original, strict=True)
        ]
        return torch.stack(levels).mean()
