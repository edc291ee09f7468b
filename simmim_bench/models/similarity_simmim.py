"""Similarity-guided SimMIM: what is painted must also have the features of the original."""

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

    The reconstruction is the prediction where masked and the original elsewhere, so that visible
    pixels, which SimMIM does not train the decoder to paint, do no harm.

    Args:
        features: Config of ``FrozenFeatures`` or ``OwnFeatures``; receives ``mean`` and ``std``
            from the preprocessor if it is frozen.
        distance: Config of a distance between features.
        weight: Arguments of ``LossWeight``.
        kwargs: See ``SimMIM``.

    Raises:
        BenchError: If predictions of the target are no images.
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
        if not self.target.paints:
            raise BenchError(
                f"predictions of {type(self.target).__name__} are no images, of which features "
                "could be taken; use a target in colours, such as NormalisedRGB"
            )
        preprocessor = kwargs.get("data_preprocessor") or {}
        scale = {name: preprocessor.get(name) for name in ("mean", "std")}
        frozen = features["type"].endswith("FrozenFeatures")
        self.features = MODELS.build({**features, **scale} if frozen else features)
        self.distance = MODELS.build(distance)
        self.weight = LossWeight(**weight)

    def losses(
        self, images: Tensor, mask: Tensor, features: Tensor, prediction: Tensor
    ) -> dict[str, Tensor]:
        """See ``SimMIM.losses``.

        Returns:
            ``loss_reconstruction`` and ``loss_similarity``, whose sum is minimised, and for the
            log ``distance`` and ``weight``, whose product the second is.

        Raises:
            ValueError: If the target's colours pass no gradient back.
        """
        reconstruction = super().losses(images, mask, features, prediction)["loss"]
        painted = self.target.to_images(prediction, images)
        if prediction.requires_grad and not painted.requires_grad:
            raise ValueError(
                f"{type(self.target).__name__} chooses colours, which passes no gradient to the "
                "prediction; use a target that is regressed, such as NormalisedRGB"
            )
        pasted = torch.where(self.pixel_mask(mask).unsqueeze(1), painted, images)
        distance = self.distance(*self.features(pasted, images, self.adapter))
        weight = self.weight()
        return {
            "loss_reconstruction": reconstruction,
            "loss_similarity": weight * distance,
            "distance": distance.detach(),
            "weight": distance.new_tensor(weight),
        }
