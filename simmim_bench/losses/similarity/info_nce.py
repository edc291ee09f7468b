"""InfoNCE between reconstructions and originals (CPC, https://arxiv.org/abs/1807.03748, eq. 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import normalize

from simmim_bench.losses.in_batch import in_batch_cross_entropy
from simmim_bench.losses.similarity.base import FeatureDistance
from simmim_bench.registry import MODELS


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
