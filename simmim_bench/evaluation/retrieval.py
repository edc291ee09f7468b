"""Recall of retrieval between images and their captions.

Protocol of https://arxiv.org/abs/1412.2306, section 4.1: an image is found again by any of its
captions; a caption is right where its own image is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.registry import METRICS

ROWS = 256  # compared at once
EMBEDDINGS = ("image_embedding", "caption_embeddings")


@METRICS.register_module()
class RetrievalRecall(BaseMetric):
    """R@K in percent: ``retrieval/i2t_r1`` (image to text), ``retrieval/t2i_r1`` and their mean.

    A wrong candidate of the same similarity as the right one counts as before it, so that equal
    embeddings of everything score 0.

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
            BenchError: If one is not finite: NaN is below nothing, so it would count as found.
        """
        for sample in data_samples:
            pair = tuple(sample[name].detach().float().cpu() for name in EMBEDDINGS)
            for name, embedding in zip(EMBEDDINGS, pair, strict=True):
                if not embedding.isfinite().all():
                    raise BenchError(
                        f"{name} of image {len(self.results)} holds NaN or infinity, expected "
                        f"unit vectors; train again with a lower learning rate, or in float32"
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
    """How many foreign captions are at least as near to each image as its nearest own one, (N,).

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
    """How many foreign images are at least as near to each caption as its own one, (M,)."""
    ranks = []
    for texts, own in zip(captions.split(ROWS), owner.split(ROWS), strict=True):
        scores = texts @ images.T
        right = scores.gather(1, own.unsqueeze(1))
        ranks.append((scores >= right).sum(1) - 1)  # without itself
    return torch.cat(ranks)
