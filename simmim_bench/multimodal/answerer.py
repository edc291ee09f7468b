"""Questions about images as a classification of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from simmim_bench.multimodal.image_features import image_channels, image_tokens
from simmim_bench.registry import MODELS


@MODELS.register_module()
class QuestionAnswerer(BaseModel):
    """Image backbone, text transformer, a fusion of the two, and a linear layer over answers.

    Args:
        backbone: Config of the image backbone; it returns maps.
        text: Config of the text encoder.
        fusion: Config of the fusion, without the channels of its inputs.
        num_classes: Number of answers.
        data_preprocessor: Config of the preprocessor.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        text: dict[str, Any],
        fusion: dict[str, Any],
        num_classes: int,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.text = MODELS.build(text)
        channels = image_channels(self.backbone)
        self.fusion = MODELS.build(
            {**fusion, "image_channels": channels, "text_channels": self.text.channels}
        )
        self.num_classes = num_classes
        self.answer = nn.Linear(self.fusion.channels, num_classes)

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[DataSample],
        mode: str = "tensor",
    ) -> Any:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, 3, H, W).
            data_samples: With ``question`` and, in mode ``'loss'``, ``gt_label``.
            mode: ``'loss'``; ``'predict'`` adds ``pred_score`` and ``pred_label`` to the samples;
                ``'tensor'`` returns logits of the answers, (B, num_classes).

        Raises:
            ValueError: If the mode is another one.
        """
        image, places = image_tokens(self.backbone, inputs)
        text, padding = self.text([sample.question for sample in data_samples])
        logits = self.answer(self.fusion(image, places, text, padding))
        if mode == "tensor":
            return logits
        if mode == "loss":
            labels = torch.cat([sample.gt_label for sample in data_samples])
            return {"loss": F.cross_entropy(logits, labels)}
        if mode == "predict":
            for sample, score in zip(data_samples, logits.softmax(1), strict=True):
                sample.set_pred_score(score).set_pred_label(score.argmax().reshape(1))
            return data_samples
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")
