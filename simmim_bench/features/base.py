"""The contract of features of a reconstruction and its original."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from simmim_bench.backbones import BackboneAdapter

Levels = Sequence[Tensor]


class PairFeatures(nn.Module, ABC):
    """Feature maps of two sets of images by one network."""

    @abstractmethod
    def forward(
        self, painted: Tensor, original: Tensor, adapter: BackboneAdapter
    ) -> tuple[Levels, Levels]:
        """Levels (B, C, h, w) of either.

        Args:
            painted: Reconstructions, (B, 3, H, W), normalised as the encoder's images; gradients
                reach them.
            original: Originals, the same shape and scale.
            adapter: Of the encoder that is trained.
        """
