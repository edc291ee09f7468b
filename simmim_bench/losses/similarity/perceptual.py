"""Perceptual distance: squared differences of features of several layers.

Paper: Perceptual losses (https://arxiv.org/abs/1603.08155, equation 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import mse_loss

from simmim_bench.losses.similarity.base import FeatureDistance
from simmim_bench.registry import MODELS


@MODELS.register_module()
class PerceptualDistance(FeatureDistance):
    """Sum over levels of ``w |f - g|^2 / (C h w)``, mean over images.

    Args:
        level_weights: w of each level; None: 1.

    Raises:
        ValueError: If a weight is negative or not finite; in use, if there are not as many weights
            as levels.
    """

    def __init__(self, *, level_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not all(math.isfinite(w) and w >= 0 for w in level_weights or ()):
            raise ValueError(
                f"level_weights {level_weights}; a level's weight is finite and not negative"
            )
        self.level_weights = level_weights

    def distance(self, painted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``."""
        weights = [1.0] * len(painted) if self.level_weights is None else self.level_weights
        if len(weights) != len(painted):
            raise ValueError(
                f"{len(weights)} level_weights for {len(painted)} levels; give one a level"
            )
        first, *others = [
            weight * mse_loss(own, other)
            for weight, own, other in zip(weights, painted, original, strict=True)
        ]
        return sum(others, start=first)
