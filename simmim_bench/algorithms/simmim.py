"""SimMIM: predict the pixels of masked patches (https://arxiv.org/abs/2111.09886).

Reference: https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS


@MODELS.register_module()
class SimMIM(BaseModel):
    """Backbone with masked tokens, a decoder, and a loss on masked pixels.

    Keys of the state dict: ``backbone.*``, ``decoder.*``, ``mask_token``.

    Args:
        backbone: Config of a backbone that has an adapter.
        decoder: Config of a decoder; receives ``feature_spec`` from the adapter.
        loss: Config of a loss called as ``loss(pred, target, mask)``.
        data_preprocessor: Config of the preprocessor that normalises images.
        init_cfg: mmengine's initialisation config. Without one, here and in the backbone,
            weights are drawn as in the original.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        decoder: dict[str, Any],
        loss: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.adapter = adapter_for(self.backbone)
        self.decoder = MODELS.build({**decoder, "feature_spec": self.adapter.feature_spec})
        self.criterion = MODELS.build(loss)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, self.adapter.token_channels))

    def init_weights(self) -> None:
        """Draw initial weights as the original does, or as an ``init_cfg`` says."""
        if self.init_cfg is not None or self.backbone.init_cfg is not None:
            super().init_weights()
            return
        self.adapter.init_weights(pretraining=True)
        self.adapter.init_mask_token(self.mask_token)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, 3, H, W).
            data_samples: Samples whose ``mask`` is Bool, (H / p, W / p); True = masked.
                Without samples nothing is masked.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            ``'loss'``: ``{'loss': scalar}``. ``'predict'``: ``images`` and ``reconstruction``,
            (B, 3, H, W) in normalised space, and ``mask``, Bool (B, H, W), True = masked.
            ``'tensor'``: the reconstruction alone.

        Raises:
            ValueError: If the mode is another one, or a mask does not fit the images.
        """
        mask = self._token_mask(inputs, data_samples)
        prediction = self.decoder(self.encode(inputs, mask))
        if mode == "tensor":
            return prediction
        pixels = self.pixel_mask(mask)
        if mode == "loss":
            return {"loss": self.criterion(prediction, inputs, pixels)}
        if mode == "predict":
            return {"images": inputs, "mask": pixels, "reconstruction": prediction}
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")

    def encode(self, images: Tensor, mask: Tensor | None = None) -> Tensor:
        """Last feature map of the backbone, (B, C, H / stride, W / stride).

        Args:
            images: (B, 3, H, W).
            mask: Bool, (B, H / p, W / p); True = masked. Without it nothing is masked.
        """
        context = nullcontext() if mask is None else self.adapter.masked(mask, self.mask_token)
        with context:
            outputs = self.backbone(images)
        return self.adapter.last_feature_map(outputs)

    def pixel_mask(self, mask: Tensor) -> Tensor:
        """Token mask (B, H / p, W / p) as a pixel mask (B, H, W)."""
        size = self.adapter.token_size
        return mask.repeat_interleave(size, 1).repeat_interleave(size, 2)

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        if data_samples is not None:
            if any("mask" not in sample for sample in data_samples):
                raise ValueError(
                    "a sample has no mask; put simmim_bench.GenerateMask before PackInputs in "
                    "the pipeline"
                )
            return torch.stack([sample.mask for sample in data_samples]).to(images.device)
        height, width = (side // self.adapter.token_size for side in images.shape[2:])
        return images.new_zeros((len(images), height, width), dtype=torch.bool)
