"""Features of several layers of a frozen network, as perceptual losses compare them.

Paper: https://arxiv.org/abs/1603.08155
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from simmim_bench.backbones import BackboneAdapter
from simmim_bench.errors import BenchError
from simmim_bench.models.frozen import (
    VGG_WEIGHTS,
    HoldsFrozenNetwork,
    build_network,
    maps_of,
    open_network,
)
from simmim_bench.registry import MODELS

Levels = Sequence[Tensor]


class PairFeatures(nn.Module, ABC):
    """Feature maps of two sets of images by one network.

    Attributes:
        needs_scale: Whether the constructor takes ``mean`` and ``std`` of the images.
    """

    needs_scale: ClassVar[bool] = False

    @abstractmethod
    def forward(
        self, reconstruction: Tensor, original: Tensor, adapter: BackboneAdapter
    ) -> tuple[Levels, Levels]:
        """Levels (B, C, h, w) of either.

        Args:
            reconstruction: (B, 3, H, W), normalised as the encoder's images; gets gradients.
            original: Originals, the same shape and scale.
            adapter: Of the encoder that is trained.
        """


@MODELS.register_module()
class FrozenFeatures(HoldsFrozenNetwork, PairFeatures):
    """Feature maps of a frozen network; gradients pass through it to the reconstruction.

    Args:
        checkpoint: Its weights: an exported ``backbone.pth``, or ``.pth`` or ``.safetensors`` of
            another network. Every weight must be in it; of an exported backbone only the norms of
            earlier levels may be missing, which then are the identity.
        model: Its config, see ``open_network``.
        levels: Which maps, see ``open_network``.
        random: Use random weights, without a checkpoint.
        seed: Of random weights, which a resumed run draws again.
        network_mean: Normalisation it was trained with, 0 to 255; None: as the encoder's.
        network_std: Same.
        mean: Normalisation of the encoder's images, 0 to 255; needed with ``network_mean``.
        std: Same.

    Raises:
        BenchError: If there is neither a checkpoint nor ``random``, or both; if the checkpoint is
            missing or does not match the model to the last key; if only a part of the
            normalisation is known.
    """

    needs_scale = True

    def __init__(
        self,
        *,
        checkpoint: str | None = None,
        model: dict[str, Any] | None = None,
        levels: Sequence[int] | None = None,
        random: bool = False,
        seed: int = 0,
        network_mean: Sequence[float] | None = None,
        network_std: Sequence[float] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if random == (checkpoint is not None):
            raise BenchError(
                f"a frozen network has checkpoint={checkpoint} and random={random}; give either "
                f"the path of its weights (VGG-16: {VGG_WEIGHTS}) or random=True"
            )
        if checkpoint is None:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                network = build_network(model, levels)
        else:
            network = open_network(Path(checkpoint), model, levels)
        self.hold(network)
        self.rescaled = network_mean is not None or network_std is not None
        if self.rescaled:
            self._remember_scale(network_mean, network_std, mean, std)

    def forward(
        self,
        reconstruction: Tensor,
        original: Tensor,
        adapter: BackboneAdapter | None = None,  # noqa: ARG002
    ) -> tuple[Levels, Levels]:
        """See ``PairFeatures.forward``; ``adapter`` is not used."""
        own = maps_of(self.network, self._scaled(reconstruction))
        with torch.no_grad():
            other = maps_of(self.network, self._scaled(original))
        return own, other

    def _remember_scale(self, *scales: Sequence[float] | None) -> None:
        """Slope and offset from the encoder's normalisation to the network's."""
        if any(scale is None for scale in scales):
            raise BenchError(
                "network_mean and network_std of a frozen network belong together and need the "
                "mean and std of a data_preprocessor; give all of them"
            )
        theirs, their_std, mean, std = (torch.tensor(scale).view(1, -1, 1, 1) for scale in scales)
        self.register_buffer("slope", std / their_std, persistent=False)
        self.register_buffer("offset", (mean - theirs) / their_std, persistent=False)

    def _scaled(self, images: Tensor) -> Tensor:
        return images * self.slope + self.offset if self.rescaled else images


@MODELS.register_module()
class OwnFeatures(PairFeatures):
    """Last feature map of the encoder that is trained, on whole images; needs no other network.

    Args:
        learn: Whether the loss also trains how the encoder sees reconstruction and original.
            Only a loss with negatives may: without them constant features would be its minimum.
            False: weights count as constants, and the loss trains the reconstruction only.
    """

    def __init__(self, *, learn: bool) -> None:
        super().__init__()
        self.learn = learn

    def forward(
        self, reconstruction: Tensor, original: Tensor, adapter: BackboneAdapter
    ) -> tuple[Levels, Levels]:
        """See ``PairFeatures.forward``; one level."""
        backbone = adapter.backbone
        if self.learn:
            own, other = (backbone(images) for images in (reconstruction, original))
        else:
            fixed = {name: value.detach() for name, value in backbone.named_parameters()}
            own = functional_call(backbone, fixed, (reconstruction,))
            with torch.no_grad():
                other = backbone(original)
        return [adapter.last_feature_map(own)], [adapter.last_feature_map(other)]
