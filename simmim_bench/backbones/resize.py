"""Resize position parameters when the window or the image changes.

Relative position biases are interpolated as in the original SimMIM: known offsets are put on
a geometric grid that is dense near 0 and reaches the new window's edge, and a cubic spline is
read at the new, evenly spaced offsets.
Reference: https://github.com/microsoft/SimMIM/blob/main/utils.py
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from torch import Tensor

RATIO_BOUNDS = (1.01, 1.5)  # of the geometric progression, as the original
RATIO_PRECISION = 1e-6


def resize_bias_table(
    table: Tensor, *, source: Sequence[int], target: Sequence[int], extra_rows: int = 0
) -> Tensor:
    """Interpolate a relative position bias table to another window.

    Args:
        table: ((2 * h - 1) * (2 * w - 1) + extra_rows, heads) for a window of h x w tokens.
        source: Window (h, w) of ``table``.
        target: New window (h, w); each at least 1, ``source`` at least 2.
        extra_rows: Last rows, kept as they are (class token).

    Returns:
        Table of the target window, same dtype and device.

    Raises:
        ValueError: If the table does not belong to ``source``, or ``source`` is too small.
    """
    rows, columns = (2 * side - 1 for side in source)
    if table.shape[0] != rows * columns + extra_rows:
        raise ValueError(
            f"a bias table for a window of {source[0]} x {source[1]} and {extra_rows} extra rows "
            f"must have {rows * columns + extra_rows} rows, got {table.shape[0]}"
        )
    if min(source) < 2:
        raise ValueError(f"a window must be at least 2 to be interpolated, got {tuple(source)}")
    known = [_geometric_offsets(s, t) for s, t in zip(source, target, strict=True)]
    wanted = [np.arange(1 - side, side, dtype=np.float64) for side in target]
    kept = table.shape[0] - extra_rows
    heads = table[:kept].detach().cpu().float().numpy().T.reshape(-1, rows, columns)
    resized = [_read_spline(known, head, wanted) for head in heads]
    values = torch.from_numpy(np.stack(resized, axis=-1)).to(table)
    return torch.cat([values.reshape(-1, table.shape[1]), table[kept:]])


def resize_position_embedding(
    embedding: Tensor, *, source: Sequence[int], target: Sequence[int], extra_tokens: int = 0
) -> Tensor:
    """Interpolate an absolute position embedding bicubically to another token grid.

    Args:
        embedding: (1, extra_tokens + h * w, C).
        source: Grid (h, w) of ``embedding``.
        target: New grid (h, w).
        extra_tokens: First entries, kept as they are (class token).
    """
    extra, grid = embedding[:, :extra_tokens], embedding[:, extra_tokens:]
    channels = embedding.shape[2]
    image = grid.reshape(1, *source, channels).permute(0, 3, 1, 2).float()  # (1, C, h, w)
    image = F.interpolate(image, size=tuple(target), mode="bicubic", align_corners=False)
    grid = image.permute(0, 2, 3, 1).reshape(1, -1, channels).to(embedding)
    return torch.cat([extra, grid], dim=1)


def _geometric_offsets(source: int, target: int) -> NDArray[np.float64]:
    """Offsets of a window of ``source``, spread so that the last is ``target - 1``."""
    steps = source - 1
    low, high = RATIO_BOUNDS
    ratio = low
    while high - low > RATIO_PRECISION:
        ratio = (low + high) / 2
        if (1 - ratio**steps) / (1 - ratio) > target - 1:
            high = ratio
        else:
            low = ratio
    positive = np.cumsum(ratio ** np.arange(steps))
    return np.concatenate([-positive[::-1], [0.0], positive])


def _read_spline(
    known: Sequence[NDArray[np.float64]],
    values: NDArray[np.float32],
    wanted: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Interpolating spline of at most third degree; beyond the known range, its edge value."""
    degrees = [min(3, len(offsets) - 1) for offsets in known]
    spline = RectBivariateSpline(*known, values, kx=degrees[0], ky=degrees[1], s=0)
    return np.asarray(spline(*wanted))
