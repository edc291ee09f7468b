"""Contrastive alignment of images and sentences (CLIP, https://arxiv.org/abs/2103.00020).

Reference: https://github.com/openai/CLIP/blob/main/clip/model.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.multimodal.contrastive import symmetric_contrastive
from simmim_bench.multimodal.image_features import image_channels, pooled
from simmim_bench.registry import MODELS

MAX_SCALE = 100.0  # CLIP, section 2.5


@MODELS.register_module()
class ImageTextAligner(BaseModel):
    """Image backbone and text transformer with a linear projection each into one space.

    Args:
        backbone: Config of the image backbone.
        text: Config of the text encoder.
        embed_dims: Dimensions D of the common space.
        temperature: Initial one; it is learned.
        class_names: Classes, for zero-shot classification; without them predictions are
            embeddings.
        templates: Sentences about a class with ``{}`` in the place of its name; the embedding of
            a class is their mean (CLIP, section 3.1.4).
        data_preprocessor: Config of the preprocessor.

    Raises:
        BenchError: If there are class names without a template, or a template has no ``{}``.
    """

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        text: dict[str, Any],
        embed_dims: int,
        temperature: float = 0.07,
        class_names: Sequence[str] = (),
        templates: Sequence[str] = (),
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if bool(class_names) != bool(templates) or any("{}" not in each for each in templates):
            raise BenchError(
                f"{len(class_names)} class_names and templates {list(templates)}: zero-shot "
                "classification needs both, and {} in each template"
            )
        self.backbone = MODELS.build(backbone)
        self.text = MODELS.build(text)
        self.image_projection = nn.Linear(image_channels(self.backbone), embed_dims, bias=False)
        self.text_projection = nn.Linear(self.text.channels, embed_dims, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))
        self.class_names = tuple(class_names)
        self.templates = tuple(templates)
        if class_names:
            self.num_classes = len(class_names)
        self._classes: Tensor | None = None

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[DataSample] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Run one of mmengine's modes.

        Args:
            inputs: Normalised images, (B, 3, H, W).
            data_samples: With ``captions``, lists of sentences; in mode ``'loss'`` of one.
            mode: ``'loss'``; ``'predict'`` adds ``image_embedding``, (D,), and
                ``caption_embeddings``, (captions, D), or, with class names, ``pred_score`` and
                ``pred_label``; ``'tensor'`` returns image embeddings, (B, D), unit vectors.

        Raises:
            ValueError: If the mode is another one.
        """
        if mode == "tensor" or data_samples is None:
            return self.embed_images(inputs)
        if mode == "loss":
            texts = self.embed_texts([sample.captions[0] for sample in data_samples])
            with torch.no_grad():  # a bound on the scale alone would have no gradient beyond it
                self.log_scale.clamp_(max=math.log(MAX_SCALE))
            scale = self.log_scale.exp()
            loss = symmetric_contrastive(self.embed_images(inputs), texts, scale)
            return {"loss": loss, "temperature": 1 / scale.detach()}
        if mode == "predict":
            images = self.embed_images(inputs)
            return self._classify(images, data_samples) if self.class_names else (
                self._embed(images, data_samples)
            )  # fmt: skip
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors of images (B, 3, H, W), (B, D)."""
        return F.normalize(self.image_projection(pooled(self.backbone, images)), dim=1)

    def embed_texts(self, sentences: Sequence[str]) -> Tensor:
        """Unit vectors of sentences, (B, D)."""
        return F.normalize(self.text_projection(self.text.pooled(sentences)), dim=1)

    def train(self, mode: bool = True) -> ImageTextAligner:
        """Set the mode; embeddings of classes are made anew for every evaluation."""
        self._classes = None
        super().train(mode)
        return self

    def class_embeddings(self) -> Tensor:
        """Unit vectors of the classes, (classes, D): the mean over the templates."""
        if self._classes is None:
            by_template = [
                self.embed_texts([template.format(name) for name in self.class_names])
                for template in self.templates
            ]
            self._classes = F.normalize(torch.stack(by_template).mean(0), dim=1)
        return self._classes

    def _classify(self, images: Tensor, samples: Sequence[DataSample]) -> Sequence[DataSample]:
        scores = self.log_scale.exp().clamp(max=MAX_SCALE) * images @ self.class_embeddings().T
        for sample, score in zip(samples, scores.softmax(1), strict=True):
            sample.set_pred_score(score).set_pred_label(score.argmax().reshape(1))
        return samples

    def _embed(self, images: Tensor, samples: Sequence[DataSample]) -> Sequence[DataSample]:
        counts = [len(sample.captions) for sample in samples]
        texts = self.embed_texts([text for sample in samples for text in sample.captions])
        for sample, image, own in zip(samples, images, texts.split(counts), strict=True):
            sample.set_field(image, "image_embedding")
            sample.set_field(own, "caption_embeddings")
        return samples
