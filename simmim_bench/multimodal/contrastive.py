"""Symmetric contrastive loss of images and texts (CLIP, https://arxiv.org/abs/2103.00020, fig. 3).

Negatives are the other pairs of the batch, over all processes.
"""

from __future__ import annotations

from torch import Tensor

from simmim_bench.models.losses.similarity import in_batch_cross_entropy


def symmetric_contrastive(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Mean of the cross-entropies from images to texts and from texts to images.

    Over processes as ``in_batch_cross_entropy``.

    Args:
        images: Unit vectors of this process's images, (B, D).
        texts: Unit vectors of their texts in the same order, (B, D); B is the same everywhere.
        scale: Scalar that multiplies cosine similarities: 1 / temperature.

    Returns:
        Scalar.

    Raises:
        ValueError: If the shapes disagree.
    """
    if images.shape != texts.shape or images.ndim != 2:
        raise ValueError(
            f"images are {tuple(images.shape)} and texts {tuple(texts.shape)}, expected the same "
            "(B, D)"
        )
    to_texts = in_batch_cross_entropy(images, texts, scale)
    return (to_texts + in_batch_cross_entropy(texts, images, scale)) / 2
