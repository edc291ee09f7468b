"""SimMIM: predict the pixels of masked patches (https://arxiv.org/abs/2111.09886).

Reference: https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from simmim_bench.backbones import adapter_for
from simmim_bench.registry import MODELS

DEFAULT_TARGET = {"type": "simmim_bench.NormalisedRGB"}


class MaskedEncoder(BaseModel):
    """Base of all methods that mask images: backbone, its adapter and the mask token.

    A subclass implements ``forward``, which says what is learned.

    Args:
        backbone: Config of a backbone that has an adapter.
        data_preprocessor: Config of the preprocessor that normalises images.
        init_cfg: mmengine's initialisation config. Without one, here and in the backbone,
            weights are drawn as in the original; the mask token always is.

    Attributes:
        predicts_images: Whether the model predicts images; training then saves pictures of them.
        compares_within_batch: Whether the loss compares the images of a batch with each other, so
            that smaller batches change the result.
    """

    predicts_images: ClassVar[bool] = False
    compares_within_batch: ClassVar[bool] = False

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
        """Draw initial weights as the original does, or as ``init_cfg`` says if there is one."""
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
            images: (B, channels, H, W).
            mask: Bool, (B, H / p, W / p); True = masked. None: nothing is masked.
        """
        return self.adapter.last_feature_map(self.encode_levels(images, mask))

    def encode_levels(self, images: Tensor, mask: Tensor | None = None) -> Sequence[Tensor]:
        """Feature maps that the backbone returns for masked images, finest level first.

        Args:
            images: (B, channels, H, W).
            mask: Bool, (B, H / p, W / p); True = masked. None: nothing is masked.
        """
        if mask is None:
            mask = self._token_mask(images, None)
        with self.masked(mask):
            levels: Sequence[Tensor] = self.backbone(images)
        return levels

    def masked(self, mask: Tensor) -> AbstractContextManager[None]:
        """Context in which ``backbone(images)`` does not see what is masked."""
        return self.adapter.masked(mask, self.mask_token)

    @property
    def mask_size(self) -> int:
        """Side in pixels of the square that one entry of a mask stands for (p)."""
        return self.adapter.token_size

    def pixel_mask(self, mask: Tensor) -> Tensor:
        """Mask of tokens, (B, H / p, W / p), as a mask of pixels, (B, H, W)."""
        size = self.mask_size
        return mask.repeat_interleave(size, 1).repeat_interleave(size, 2)

    def _token_mask(self, images: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
        if data_samples is not None:
            if any("mask" not in sample for sample in data_samples):
                raise ValueError(
                    "a sample has no mask; add simmim_bench.GenerateMask before PackInputs in "
                    "the pipeline"
                )
            return torch.stack([sample.mask for sample in data_samples]).to(images.device)
        height, width = (side // self.mask_size for side in images.shape[2:])
        return images.new_zeros((len(images), height, width), dtype=torch.bool)


@MODELS.register_module()
class SimMIM(MaskedEncoder):
    """Backbone with masked tokens, a decoder, and a loss on the masked positions of a target.

    A subclass that adds losses overrides ``losses``.

    Keys of the state dict: ``backbone.*``, ``decoder.*``, ``mask_token``, and ``target.*`` if the
    target has buffers (``ColourClusters``).

    Args:
        backbone: Config of a backbone that has an adapter.
        decoder: Config of a decoder; receives ``feature_spec`` from the adapter, and
            ``out_channels`` and ``target_stride`` from the target. Its input is the backbone's
            last map, or all maps if its ``all_levels`` is True.
        loss: Config of a loss called as ``loss(pred, target, mask)``.
        target: Config of a target; receives ``mean`` and ``std`` from the preprocessor and the
            ``channels`` of the backbone's images. None: the normalised images.
        data_preprocessor: Config of the preprocessor that normalises images.
        init_cfg: mmengine's initialisation config. Without one, here and in the backbone,
            weights are drawn as in the original; the mask token always is.
    """

    predicts_images = True

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        decoder: dict[str, Any],
        loss: dict[str, Any],
        target: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        scale = {name: (data_preprocessor or {}).get(name) for name in ("mean", "std")}
        channels = self.adapter.in_channels
        self.target = MODELS.build({**(target or DEFAULT_TARGET), **scale, "channels": channels})
        self.decoder = MODELS.build(
            {
                **decoder,
                "feature_spec": self.adapter.feature_spec,
                "out_channels": self.target.out_channels,
                "target_stride": self.target.stride,
            }
        )
        self.criterion = MODELS.build(loss)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Tensor | dict[str, Tensor]:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, channels, H, W).
            data_samples: Samples whose ``mask`` is Bool, (H / p, W / p); True = masked. None:
                nothing is masked.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            ``'loss'``: the result of ``losses``. ``'predict'``: ``images`` and ``reconstruction``,
            (B, channels, H, W) in normalised space, and ``mask``, Bool (B, H, W), True = masked.
            ``'tensor'``: the decoder's prediction,
            (B, out_channels, H / target stride, W / target stride).

        Raises:
            ValueError: If the mode is unknown, a mask does not fit the images, or the mode is
                ``'predict'`` and the target's ``predicts_images`` is False.
        """
        mask = self._token_mask(inputs, data_samples)
        levels = self.encode_levels(inputs, mask)
        prediction = self.decode(levels)
        if mode == "tensor":
            return prediction
        if mode == "loss":
            features = self.adapter.last_feature_map(levels)
            return self.losses(inputs, mask, features, prediction)
        if mode == "predict":
            images = self.target.to_images(prediction, inputs)
            return {"images": inputs, "mask": self.pixel_mask(mask), "reconstruction": images}
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")

    def decode(self, levels: Sequence[Tensor]) -> Tensor:
        """Prediction of the decoder.

        Args:
            levels: Result of ``encode_levels``.

        Returns:
            (B, out_channels, H / target stride, W / target stride).
        """
        features = levels if self.decoder.all_levels else self.adapter.last_feature_map(levels)
        prediction: Tensor = self.decoder(features)
        return prediction

    def losses(
        self,
        images: Tensor,
        mask: Tensor,
        features: Tensor,  # noqa: ARG002  (for subclasses)
        prediction: Tensor,
    ) -> dict[str, Tensor]:
        """Losses, whose sum is minimised, and other values to log, whose names lack ``loss``.

        Args:
            images: Normalised, (B, channels, H, W).
            mask: Bool, (B, H / p, W / p); True = masked.
            features: Last feature map of the masked images, (B, C, H / stride, W / stride).
            prediction: Prediction of the decoder.

        Returns:
            ``{'loss': scalar}``.
        """
        with torch.no_grad():
            target = self.target(images)
        return {"loss": self.criterion(prediction, target, self.target_mask(mask))}

    def target_mask(self, mask: Tensor) -> Tensor:
        """Mask of tokens, (B, H / p, W / p), on the grid of the target, (B, H / s, W / s).

        Bool if a token covers whole target positions; otherwise float, the masked share of each
        target position.
        """
        repeats, rest = divmod(self.mask_size, self.target.stride)
        if rest == 0:
            return mask.repeat_interleave(repeats, 1).repeat_interleave(repeats, 2)
        pixels = self.pixel_mask(mask).to(torch.float32)
        return avg_pool2d(pixels.unsqueeze(1), self.target.stride).squeeze(1)
