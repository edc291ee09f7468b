"""The contract of distances between features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


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
