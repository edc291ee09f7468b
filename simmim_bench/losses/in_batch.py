"""InfoNCE with the other images of the batch as negatives (CPC, https://arxiv.org/abs/1807.03748).

The batch is that of all processes; gathering passes gradients back.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from mmengine.dist import get_rank, get_world_size
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def in_batch_cross_entropy(queries: Tensor, keys: Tensor, scale: Tensor | float) -> Tensor:
    """Mean over b of -log(exp(s q_b k_b) / sum over c of exp(s q_b k_c)).

    Each process has its own queries against the keys of all. The mean over processes, which DDP
    takes of the gradients, is the loss of the whole batch in one process.

    Args:
        queries: Unit vectors, (B, D).
        keys: Unit vectors of what belongs to them in the same order, (B, D); B is the same
            everywhere.
        scale: What multiplies cosine similarities: 1 / temperature.

    Returns:
        Scalar.

    Raises:
        ValueError: If the shapes disagree.
    """
    if queries.shape != keys.shape or queries.ndim != 2:
        raise ValueError(
            f"queries are {tuple(queries.shape)} and keys {tuple(keys.shape)}, expected the same "
            "(B, D)"
        )
    own = torch.arange(len(queries), device=queries.device) + len(queries) * get_rank()
    return F.cross_entropy(scale * queries @ _of_all(keys).T, own)  # (B, B * processes)


def _of_all(rows: Tensor) -> Tensor:
    """Rows of all processes in the order of their ranks."""
    return torch.cat(all_gather(rows)) if get_world_size() > 1 else rows
