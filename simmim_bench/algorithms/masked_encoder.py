"""A backbone that sees mask tokens: what SimMIM and its relatives have in common."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS


class MaskedEncoder(BaseModel):
    """Backbone, its adapter and the mask token; a subclass says what is learned.

    Args:
        backbone: Config of a backbone that has an adapter.
        data_preprocessor: Config of the preprocessor that normalises images.
        init_cfg: mmengine's initialisation config. Without one, here and in the backbone,
            weights are drawn as in the original; the mask token always is.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.adapter = adapter_for(self.backbone)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.adapter.token_channels))

    def init_weights(self) -> None:
        """Draw initial weights as the original does, or as an ``init_cfg`` says."""
        if self.init_cfg is not None or self.backbone.init_cfg is not None:
            super().init_weights()
        else:
            self.adapter.init_weights(pretraining=True)
        self.init_mask_token()

    def init_mask_token(self) -> None:
        """Draw the initial mask token in place."""
        self.adapter.init_mask_token(self.mask_token)

    def encode(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Last feature map of the backbone, (B, C, H / stride, W / stride).

        Args:
            images: (B, 3, H, W).
            mask: Bool, (B, H / p, W / p); True = masked. Without it nothing is masked.
        """
        return self.adapter.last_feature_map(self.encode_levels(images, mask))

    def encode_levels(self, images: Tensor, mask: Tensor | None = None) -> Sequence[Tensor]:
        """What the backbone returns of masked images, finest level first.

        Args:
            images: (B, 3, H, W).
            mask: Bool, (B, H / p, W / p); True = masked. Without it nothing is masked.
        """
        if mask is None:
            mask = self._token_mask(images, None)
        with self.hiding(mask):
            levels: Sequence[Tensor] = self.backbone(images)
        return levels

    def hiding(self, mask: Tensor) -> AbstractContextManager[None]:
        """Context in which ``backbone(images)`` does not see what ``mask`` hides."""
        return self.adapter.masked(mask, self.mask_token)

    @property
    def mask_size(self) -> int:
        """Side, in pixels, of what one entry of a mask hides (p)."""
        return self.adapter.token_size

    def pixel_mask(self, mask: Tensor) -> Tensor:
        """Token mask (B, H / p, W / p) as a pixel mask (B, H, W)."""
        size = self.mask_size
        return mask.repeat_interleave(size, 1).repeat_interleave(size, 2)

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        if data_samples is not None:
            if any("mask" not in sample for sample in data_samples):
                raise ValueError(
                    "a sample has no mask; put simmim_bench.GenerateMask before PackInputs in "
                    "the pipeline"
                )
            return torch.stack([sample.mask for sample in data_samples]).to(images.device)
        height, width = (side // self.mask_size for side in images.shape[2:])
        return images.new_zeros((len(images), height, width), dtype=torch.bool)
