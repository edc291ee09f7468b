"""Symmetric contrastive loss of images and texts (CLIP, https://arxiv.org/abs/2103.00020, fig. 3).

Negatives are the other pairs of the batch, over all processes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def symmetric_contrastive(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Mean of the cross-entropies from images to texts and from texts to images.

    Each process has its own rows against the columns of all. The mean over processes, which DDP
    takes of the gradients, is the loss of the whole batch in one process; gathering passes
    gradients back.

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
    own = torch.arange(len(images), device=images.device) + len(images) * get_rank()
    to_texts = scale * images @ _of_all(texts).T  # (B, B * processes)
    to_images = scale * texts @ _of_all(images).T
    return (F.cross_entropy(to_texts, own) + F.cross_entropy(to_images, own)) / 2


def _of_all(rows: Tensor) -> Tensor:
    """Rows of all processes in the order of their ranks."""
    return torch.cat(all_gather(rows)) if get_world_size() > 1 else rows
