"""Image-text retrieval and zero-shot classification: data set, model, loss and metric.

The model aligns images and sentences by contrast (CLIP, https://arxiv.org/abs/2103.00020;
https://github.com/openai/CLIP/blob/main/clip/model.py). The protocol is Karpathy's
(https://arxiv.org/abs/1412.2306, section 4.1).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.models.losses.similarity import symmetric_cross_entropy
from simmim_bench.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from simmim_bench.tasks.annotation_file import checked_text, read_entries
from simmim_bench.tasks.text_encoder import image_channels, pooled

MAX_SCALE = 100.0  # CLIP, section 2.5
ROWS = 256  # embeddings compared at once
EMBEDDINGS = ("image_embedding", "caption_embeddings")


@DATASETS.register_module()
class CaptionsDataset(BaseDataset):
    """Images with several captions each, in COCO captions format.

    An entry is an image with ``img_path``, ``image_id`` and ``captions``. With one entry for each
    caption, an image could be its own negative in a batch. Images without a caption are skipped.

    Args:
        max_captions: Number of captions of an image that are kept, the first ones of the file;
            Karpathy's protocol uses five, and some images have more.
        kwargs: See ``mmengine.dataset.BaseDataset``; ``data_prefix`` is ``dict(img_path=FOLDER)``.

    Raises:
        BenchError: If the file has no captions, an empty caption, or a caption of an image that
            it does not list.
    """

    def __init__(self, *, max_captions: int = 5, **kwargs: Any) -> None:
        self.max_captions = max_captions
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Entries in the order of the file's images."""
        images = read_entries(self.ann_file, "images", ("id", "file_name"))
        written = read_entries(self.ann_file, "annotations", ("image_id",))
        captions: dict[Any, list[str]] = {image["id"]: [] for image in images}
        for entry in written:
            if "caption" not in entry:
                raise BenchError(
                    f"{self.ann_file} has annotations without 'caption'; use a captions file, "
                    "such as captions_train2017.json, instead of an instances file"
                )
            number = entry["image_id"]
            if number not in captions:
                raise BenchError(
                    f"{self.ann_file} has a caption of image id {number}, which is not among its "
                    f"{len(images)} 'images'; remove the caption or add the image"
                )
            what = f"a caption of image id {number}"
            captions[number].append(checked_text(entry["caption"], what=what, path=self.ann_file))
        folder = Path(self.data_prefix["img_path"])
        return [
            {
                "img_path": str(folder / image["file_name"]),
                "image_id": image["id"],
                "captions": captions[image["id"]][: self.max_captions],
            }
            for image in images
            if captions[image["id"]]
        ]


@TRANSFORMS.register_module()
class PickCaption(BaseTransform):
    """Keep one of ``captions``, drawn in every epoch (seeded by ``SeedSample``)."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with a list of one caption."""
        return {**results, "captions": [random.choice(results["captions"])]}


@MODELS.register_module()
class ImageTextAligner(BaseModel):
    """Image backbone and text transformer, each with a linear projection into a common space.

    Args:
        backbone: Config of the image backbone.
        text: Config of the text encoder.
        embed_dims: Dimensions of the common space, D.
        temperature: Initial temperature; it is learned.
        class_names: Classes, for zero-shot classification; without them predictions are
            embeddings.
        templates: Sentences about a class with ``{}`` for its name; the embedding of a class is
            their mean (CLIP, section 3.1.4).
        data_preprocessor: Config of the preprocessor.

    Raises:
        BenchError: If there are class names without a template, or a template has no ``{}``.
    """

    compares_within_batch = True

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
                "zero-shot classification needs class_names and templates, each template with {}, "
                f"got {len(class_names)} class_names and templates {list(templates)}"
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
            data_samples: With ``captions``, lists of sentences; mode ``'loss'`` uses the first.
            mode: ``'loss'``; ``'predict'`` adds ``image_embedding``, (D,), and
                ``caption_embeddings``, (captions, D), or, with class names, ``pred_score`` and
                ``pred_label``; ``'tensor'`` returns image embeddings, (B, D), unit vectors.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == "tensor" or data_samples is None:
            return self.embed_images(inputs)
        if mode == "loss":
            texts = self.embed_texts([sample.captions[0] for sample in data_samples])
            with torch.no_grad():  # clamping only the scale would give no gradient above the bound
                self.log_scale.clamp_(max=math.log(MAX_SCALE))
            scale = self.log_scale.exp()
            loss = symmetric_cross_entropy(self.embed_images(inputs), texts, scale)
            return {"loss": loss, "temperature": 1 / scale.detach()}
        if mode == "predict":
            images = self.embed_images(inputs)
            predict = self._classify if self.class_names else self._embed
            return predict(images, data_samples)
        raise ValueError(f"unknown mode {mode!r}; known are: loss, predict, tensor")

    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors of images (B, 3, H, W), (B, D)."""
        return F.normalize(self.image_projection(pooled(self.backbone, images)), dim=1)

    def embed_texts(self, sentences: Sequence[str]) -> Tensor:
        """Unit vectors of sentences, (B, D)."""
        return F.normalize(self.text_projection(self.text.pooled(sentences)), dim=1)

    def train(self, mode: bool = True) -> ImageTextAligner:
        """Set the mode; every evaluation computes the embeddings of the classes again."""
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
        for sample, image, captions in zip(samples, images, texts.split(counts), strict=True):
            sample.set_field(image, "image_embedding")
            sample.set_field(captions, "caption_embeddings")
        return samples


@METRICS.register_module()
class RetrievalRecall(BaseMetric):
    """R@K in percent: ``retrieval/i2t_r1`` (image to text), ``retrieval/t2i_r1`` and their mean.

    An image is right if any of its captions is found, a caption if its image is found. Wrong
    candidates with the same similarity as the right one rank before it, so a model whose
    embeddings are all equal scores 0.

    Args:
        ranks: Values of K.
        kwargs: See ``mmengine.evaluator.BaseMetric``.
    """

    def __init__(self, *, ranks: Sequence[int] = (1, 5, 10), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ranks = tuple(ranks)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002
        """Keep the embeddings of a batch.

        Raises:
            BenchError: If an embedding is not finite; NaN would count as found.
        """
        for sample in data_samples:
            pair = tuple(sample[name].detach().float().cpu() for name in EMBEDDINGS)
            for name, embedding in zip(EMBEDDINGS, pair, strict=True):
                if not embedding.isfinite().all():
                    raise BenchError(
                        f"{name} of image {len(self.results)} contains NaN or infinity; train "
                        "again with a lower learning rate, or in float32"
                    )
            self.results.append(pair)

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Recall over all images and captions."""
        images = torch.stack([image for image, _ in results])
        captions = torch.cat([texts for _, texts in results])
        owner = torch.repeat_interleave(torch.tensor([len(texts) for _, texts in results]))
        found = {
            "i2t": ranks_of_images(images, captions, owner),
            "t2i": ranks_of_captions(images, captions, owner),
        }
        recalls = {
            f"retrieval/{way}_r{k}": 100 * (ranks < k).double().mean().item()
            for way, ranks in found.items()
            for k in self.ranks
        }
        return {**recalls, "retrieval/mean_recall": sum(recalls.values()) / len(recalls)}


def ranks_of_images(images: Tensor, captions: Tensor, owner: Tensor) -> Tensor:
    """Number of wrong captions at least as similar to each image as its best own caption, (N,).

    Args:
        images: Unit vectors, (N, D).
        captions: Unit vectors, (M, D).
        owner: Image of each caption, (M,), int64.
    """
    ranks = []
    for start in range(0, len(images), ROWS):
        part = torch.arange(start, min(start + ROWS, len(images)))
        scores = images[part] @ captions.T
        own = owner == part.unsqueeze(1)  # (rows, M)
        best = scores.masked_fill(~own, -torch.inf).amax(1, keepdim=True)
        ranks.append(((scores >= best) & ~own).sum(1))
    return torch.cat(ranks)


def ranks_of_captions(images: Tensor, captions: Tensor, owner: Tensor) -> Tensor:
    """Number of wrong images at least as similar to each caption as its own image, (M,)."""
    ranks = []
    for texts, own in zip(captions.split(ROWS), owner.split(ROWS), strict=True):
        scores = texts @ images.T
        right = scores.gather(1, own.unsqueeze(1))
        ranks.append((scores >= right).sum(1) - 1)  # without itself
    return torch.cat(ranks)
