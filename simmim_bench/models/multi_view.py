"""Multi-view SimMIM: masked views of an image are contrasted, and may be reconstructed, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from mmengine.structures import BaseDataElement
from torch import Tensor

from simmim_bench.models.contrast import ViewContrast, masks_of_views, stack_views
from simmim_bench.models.losses.weight import LossWeight
from simmim_bench.models.simmim import MaskedEncoder, SimMIM
from simmim_bench.registry import MODELS

Views: TypeAlias = Tensor | Sequence[Tensor]


@MODELS.register_module()
class MultiViewContrast(MaskedEncoder):
    """Contrast between masked views alone.

    Args:
        contrast: Arguments of ``ViewContrast``.
        kwargs: See ``MaskedEncoder``.
    """

    compares_within_batch = True

    def __init__(self, *, contrast: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contrast = ViewContrast(self.adapter, **contrast)

    def forward(
        self,
        inputs: Views,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised views, N times (B, 3, H, W); or images, (B, 3, H, W).
            data_samples: Samples whose ``mask`` is Bool, (N, H / p, W / p) or (H / p, W / p).
                Without samples nothing is masked.
            mode: ``'loss'`` or ``'tensor'``.

        Returns:
            ``'loss'``: ``{'loss': scalar}``; ``'tensor'``: last feature maps, view after view,
            (N * B, C, H / stride, W / stride).

        Raises:
            ValueError: If the mode is another one, or masks or views do not fit.
        """
        images = stack_views(inputs)
        features = self.encode(images, masks_of_views(self._token_mask(images, data_samples)))
        if mode == "tensor":
            return features
        if mode == "loss":
            return {"loss": self.contrast(images, features, self.backbone)}
        raise ValueError(f"unknown mode {mode!r}; known are: loss, tensor")


@MODELS.register_module()
class MultiViewSimMIM(SimMIM):
    """SimMIM's loss on every view + weight x contrast between the views.

    Args:
        contrast: Arguments of ``ViewContrast``.
        weight: Arguments of ``LossWeight``.
        kwargs: See ``SimMIM``.
    """

    compares_within_batch = True

    def __init__(self, *, contrast: dict[str, Any], weight: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.contrast = ViewContrast(self.adapter, **contrast)
        self.weight = LossWeight(**weight)

    def forward(
        self,
        inputs: Views,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """See ``SimMIM.forward``; N views of B images are N * B images, view after view."""
        return super().forward(stack_views(inputs), data_samples, mode)

    def losses(
        self, images: Tensor, mask: Tensor, features: Tensor, prediction: Tensor
    ) -> dict[str, Tensor]:
        """See ``SimMIM.losses``.

        Returns:
            ``loss_reconstruction`` and ``loss_contrast``, whose sum is minimised, and for the log
            ``contrast`` and ``weight``, whose product the second is.
        """
        reconstruction = super().losses(images, mask, features, prediction)["loss"]
        contrast = self.contrast(images, features, self.backbone)
        weight = self.weight()
        return {
            "loss_reconstruction": reconstruction,
            "loss_contrast": weight * contrast,
            "contrast": contrast.detach(),
            "weight": contrast.new_tensor(weight),
        }

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        return masks_of_views(super()._token_mask(images, data_samples))
