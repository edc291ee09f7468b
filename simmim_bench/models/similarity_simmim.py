"""Similarity-guided SimMIM: a reconstruction must also have the features of its original."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.models.losses.weight import LossWeight
from simmim_bench.models.simmim import SimMIM
from simmim_bench.registry import MODELS


@MODELS.register_module()
class SimilaritySimMIM(SimMIM):
    """SimMIM's loss + weight x distance between features of reconstruction and original.

    The reconstruction is the prediction at masked pixels and the original elsewhere, because
    SimMIM does not train the decoder to predict visible pixels.

    Args:
        features: Config of ``FrozenFeatures`` or ``OwnFeatures``; receives ``mean`` and ``std``
            from the preprocessor if its class has ``needs_scale``.
        distance: Config of a distance between features.
        weight: Arguments of ``LossWeight``.
        kwargs: See ``SimMIM``.

    Raises:
        BenchError: If predictions of the target are not images.
    """

    def __init__(
        self,
        *,
        features: dict[str, Any],
        distance: dict[str, Any],
        weight: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not self.target.predicts_images:
            raise BenchError(
                f"predictions of {type(self.target).__name__} are not images, so they have no "
                "image features; use a target in colours, such as NormalisedRGB"
            )
        preprocessor = kwargs.get("data_preprocessor") or {}
        scale = {name: preprocessor.get(name) for name in ("mean", "std")}
        needs_scale = MODELS.get(features["type"]).needs_scale
        self.features = MODELS.build({**features, **scale} if needs_scale else features)
        self.distance = MODELS.build(distance)
        self.weight = LossWeight(**weight)

    def losses(
        self, images: Tensor, mask: Tensor, features: Tensor, prediction: Tensor
    ) -> dict[str, Tensor]:
        """See ``SimMIM.losses``.

        Returns:
            ``loss_reconstruction`` and ``loss_similarity``, whose sum is minimised; and, to be
            logged, ``distance`` and ``weight``, whose product is ``loss_similarity``.

        Raises:
            ValueError: If the colours of the target have no gradient.
        """
        loss = super().losses(images, mask, features, prediction)["loss"]
        predicted = self.target.to_images(prediction, images)
        if prediction.requires_grad and not predicted.requires_grad:
            raise ValueError(
                f"colours of {type(self.target).__name__} have no gradient, because they are "
                "selected from classes; use a regression target, such as NormalisedRGB"
            )
        reconstruction = torch.where(self.pixel_mask(mask).unsqueeze(1), predicted, images)
        distance = self.distance(*self.features(reconstruction, images, self.adapter))
        weight = self.weight()
        return {
            "loss_reconstruction": loss,
            "loss_similarity": weight * distance,
            "distance": distance.detach(),
            "weight": distance.new_tensor(weight),
        }
