"""Views as one batch: all first views, then all second ones, and so on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def stack_views(inputs: Tensor | Sequence[Tensor]) -> Tensor:
    """N times (B, 3, H, W) as (N * B, 3, H, W); images alone as they are."""
    return inputs if isinstance(inputs, Tensor) else torch.cat(list(inputs))


def masks_of_views(mask: Tensor) -> Tensor:
    """(B, N, h, w) as (N * B, h, w); masks of images alone, (B, h, w), as they are."""
    return mask.transpose(0, 1).flatten(0, 1) if mask.ndim == 4 else mask
