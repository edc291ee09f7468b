"""Perceptual distance: squared differences of features of several layers.

Paper: Perceptual losses (https://arxiv.org/abs/1603.08155, equation 2).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.functional import cosine_similarity, mse_loss, normalize

from simmim_bench.registry import MODELS

# The contract of distances between features.


class FeatureDistance(nn.Module, ABC):
    """Distance between the features of two sets of images, level by level."""

    def forward(self, painted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """Compare.

        Args:
            painted: Feature maps of the reconstructions, (B, C, h, w) a level.
            original: Feature maps of the originals, of the same shapes.

        Returns:
            Scalar, at least 0, smaller for images that are more alike.

        Raises:
            ValueError: If there is no level, or levels disagree.
        """
        shapes = [[tuple(level.shape) for level in levels] for levels in (painted, original)]
        if not painted or shapes[0] != shapes[1] or any(len(shape) != 4 for shape in shapes[0]):
            raise ValueError(
                f"features are {shapes[0]} and {shapes[1]}, expected the same maps (B, C, h, w) "
                "twice, one or more"
            )
        return self.distance(painted, original)

    @abstractmethod
    def distance(self, painted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``forward``; the shapes agree."""


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


# 1 - cosine of features at the same place.


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


# InfoNCE between reconstructions and originals (CPC, https://arxiv.org/abs/1807.03748, eq. 4).


@MODELS.register_module()
class InfoNCE(FeatureDistance):
    """Which original belongs to a reconstruction, and which reconstruction to an original?

    The mean of both cross-entropies over the batch of all processes. An image's vector is the
    mean over the positions of its last level, of length 1.

    Args:
        temperature: Divides cosine similarities.

    Raises:
        ValueError: If the temperature is not positive and finite.
    """

    compares_within_batch = True

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        if not 0 < temperature < math.inf:
            raise ValueError(
                f"temperature {temperature} is not positive and finite; SimCLR uses 0.1 to 0.5"
            )
        self.temperature = temperature

    def distance(self, painted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``; log(images) when features tell nothing."""
        own, other = (normalize(maps[-1].mean(dim=(2, 3)), dim=1) for maps in (painted, original))
        scale = 1 / self.temperature
        there = in_batch_cross_entropy(own, other, scale)
        return (there + in_batch_cross_entropy(other, own, scale)) / 2


# InfoNCE with the other images of the batch as negatives (CPC, https://arxiv.org/abs/1807.03748).
#
# The batch is that of all processes; gathering passes gradients back.


def in_batch_cross_entropy(queries: Tensor, keys: Tensor, scale: Tensor | float) -> Tensor:
    """Mean over b of -log(exp(s q_b k_b) / sum over c of exp(s q_b k_c)).

    Each process has its own queries against the keys of all. The mean over processes, which DDP
    takes of the gradients, is the loss of the whole batch in one process.

    Args:
        queries: Unit vectors, (B, D).
        keys: Unit vectors of what belongs to them in the same order, (B, D); B is the same
            everywhere.
        scale: What multiplies cosine similarities: 1 / temperature.

    Returns:
        Scalar.

    Raises:
        ValueError: If the shapes disagree.
    """
    if queries.shape != keys.shape or queries.ndim != 2:
        raise ValueError(
            f"queries are {tuple(queries.shape)} and keys {tuple(keys.shape)}, expected the same "
            "(B, D)"
        )
    own = torch.arange(len(queries), device=queries.device) + len(queries) * get_rank()
    return F.cross_entropy(scale * queries @ _of_all(keys).T, own)  # (B, B * processes)


def _of_all(rows: Tensor) -> Tensor:
    """Rows of all processes in the order of their ranks."""
    return torch.cat(all_gather(rows)) if get_world_size() > 1 else rows
