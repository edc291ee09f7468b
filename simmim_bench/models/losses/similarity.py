"""Distances between the features of reconstructions and of their originals."""

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


class FeatureDistance(nn.Module, ABC):
    """Distance between the features of two sets of images, level by level."""

    def forward(self, predicted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """Compare.

        Args:
            predicted: Feature maps of the reconstructions, (B, C, h, w) for each level.
            original: Feature maps of the originals, same shapes.

        Returns:
            Scalar >= 0; the more similar the images, the smaller.

        Raises:
            ValueError: If there is no level, or the shapes disagree.
        """
        shapes = [[tuple(level.shape) for level in levels] for levels in (predicted, original)]
        if not predicted or shapes[0] != shapes[1] or any(len(shape) != 4 for shape in shapes[0]):
            raise ValueError(
                f"features must be one or more maps (B, C, h, w), of the same shapes for both "
                f"images, got {shapes[0]} and {shapes[1]}"
            )
        return self.distance(predicted, original)

    @abstractmethod
    def distance(self, predicted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``forward``; the shapes agree."""


@MODELS.register_module()
class PerceptualDistance(FeatureDistance):
    """Sum over levels of ``w |f - g|^2 / (C h w)``, mean over images.

    Perceptual losses (https://arxiv.org/abs/1603.08155, equation 2).

    Args:
        level_weights: w of each level; None: 1.

    Raises:
        ValueError: If a weight is negative or not finite; when called, if the number of weights
            is not that of the levels.
    """

    def __init__(self, *, level_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not all(math.isfinite(w) and w >= 0 for w in level_weights or ()):
            raise ValueError(
                f"level_weights must be finite and >= 0, got {list(level_weights or ())}"
            )
        self.level_weights = level_weights

    def distance(self, predicted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``."""
        weights = [1.0] * len(predicted) if self.level_weights is None else self.level_weights
        if len(weights) != len(predicted):
            raise ValueError(
                f"{len(weights)} level_weights for {len(predicted)} levels; give one per level"
            )
        first, *others = [
            weight * mse_loss(one, other)
            for weight, one, other in zip(weights, predicted, original, strict=True)
        ]
        return sum(others, start=first)


@MODELS.register_module()
class CosineDistance(FeatureDistance):
    """Mean of ``1 - <f, g> / (|f| |g|)`` over images and positions, then over levels."""

    def distance(self, predicted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``; 0 to 2."""
        levels = [
            1 - cosine_similarity(one, other, dim=1).mean()
            for one, other in zip(predicted, original, strict=True)
        ]
        return torch.stack(levels).mean()


@MODELS.register_module()
class InfoNCE(FeatureDistance):
    """Match reconstructions and originals (CPC, https://arxiv.org/abs/1807.03748, equation 4).

    Mean of two cross-entropies over the batch of all processes: which original belongs to a
    reconstruction, and which reconstruction to an original. The vector of an image is the mean
    over the positions of its last level, scaled to length 1.

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
                f"temperature must be positive and finite, got {temperature}; use 0.1 to 0.5"
            )
        self.temperature = temperature

    def distance(self, predicted: Sequence[Tensor], original: Sequence[Tensor]) -> Tensor:
        """See ``FeatureDistance.forward``; log(images) if all features are equal."""
        one, other = (normalize(maps[-1].mean(dim=(2, 3)), dim=1) for maps in (predicted, original))
        return symmetric_cross_entropy(one, other, 1 / self.temperature)


def symmetric_cross_entropy(one: Tensor, other: Tensor, scale: Tensor | float) -> Tensor:
    """Mean of ``in_batch_cross_entropy`` in both directions."""
    there = in_batch_cross_entropy(one, other, scale)
    return (there + in_batch_cross_entropy(other, one, scale)) / 2


def in_batch_cross_entropy(queries: Tensor, keys: Tensor, scale: Tensor | float) -> Tensor:
    """Mean over b of -log(exp(s q_b k_b) / sum over c of exp(s q_b k_c)).

    Each process compares its own queries with the keys of all processes. DDP averages the
    gradients, which gives those of the whole batch in one process; gathering the keys is
    differentiable.

    Args:
        queries: Unit vectors, (B, D); B is the same in all processes.
        keys: Unit vectors that match the queries, in the same order, (B, D).
        scale: Factor of the cosine similarities: 1 / temperature.

    Returns:
        Scalar.

    Raises:
        ValueError: If the shapes disagree.
    """
    if queries.shape != keys.shape or queries.ndim != 2:
        raise ValueError(
            f"queries and keys must both be (B, D), got {tuple(queries.shape)} and "
            f"{tuple(keys.shape)}"
        )
    matches = torch.arange(len(queries), device=queries.device) + len(queries) * get_rank()
    return F.cross_entropy(scale * queries @ _of_all(keys).T, matches)  # (B, B * processes)


def _of_all(rows: Tensor) -> Tensor:
    """Rows of all processes, in the order of ranks."""
    return torch.cat(all_gather(rows)) if get_world_size() > 1 else rows
