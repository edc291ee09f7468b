"""Gradient of RoIAlign on a CPU as two matrix products.

torchvision adds single numbers, four for every sample, channel and RoI. Bilinear interpolation and
the average over samples are weighted sums along rows and along columns, so that the gradient of a
map is the sum over its RoIs of ``rows.T @ gradient @ columns``. On small maps the second product
has all RoIs of an image at once; on large maps each RoI has products of the positions it covers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_MAP = 40 * 40  # positions, for products over the whole map
MOST_WEIGHTS = 2**24  # 64 MB; RoIs much larger than the map have many samples


def roi_gradient(
    gradient: Tensor,
    rois: Tensor,
    shape: Sequence[int],
    *,
    scale: float,
    height: int,
    width: int,
    ratio: int,
    aligned: bool,
) -> Tensor | None:
    """Gradient of the features.

    Args:
        gradient: Of the output, (K, C, height, width), float32 or float64 on the CPU.
        rois: (K, 5), batch index and x1 y1 x2 y2 in image pixels; same dtype.
        shape: B, C, H, W of the features.
        scale: Positions of the map per pixel.
        height: Output rows.
        width: Output columns.
        ratio: Samples of an output position along each axis; 0: one for each position of the map.
        aligned: Whether coordinates are shifted by half a position.

    Returns:
        (B, C, H, W), or None where torchvision should do it: RoIs are far larger than the map or
        not finite.
    """
    batch, channels, rows, columns = shape
    if not rois.isfinite().all():
        return None
    down = _weights(rois[:, 2::2] * scale, rows, height, ratio, aligned)
    across = _weights(rois[:, 1::2] * scale, columns, width, ratio, aligned)
    if down is None or across is None:
        return None
    image = rois[:, 0].long()
    if rows * columns > LARGEST_MAP:
        return _by_windows(gradient, down, across, image, batch)
    found = gradient.new_empty(batch, rows, channels, columns)
    for index, own_gradient in enumerate(found):
        own = (image == index).nonzero().flatten()
        part = gradient[own].transpose(1, 2).flatten(1, 2)  # (k, height * C, width)
        spread = torch.bmm(part, across[own]).view(-1, channels * columns)  # (k * height, C * W)
        torch.mm(down[own].flatten(0, 1).T, spread, out=own_gradient.view(rows, -1))
    return found.transpose(1, 2)


def _by_windows(
    gradient: Tensor, down: Tensor, across: Tensor, image: Tensor, batch: int
) -> Tensor:
    """Gradient of large maps, RoI by RoI.

    Args:
        gradient: Of the output, (K, C, height, width).
        down: Weights of the rows, (K, height, H).
        across: Weights of the columns, (K, width, W).
        image: Batch index of each RoI, long, (K,).
        batch: Number of images.

    Returns:
        (batch, C, H, W).
    """
    shape = (batch, down.shape[2], across.shape[2], gradient.shape[1])
    found = gradient.new_zeros(shape)
    parts = gradient.permute(0, 2, 3, 1).contiguous()  # (K, height, width, C)
    places = zip(image.tolist(), _covered(down), _covered(across), strict=True)
    for part, rows, columns, (index, high, wide) in zip(parts, down, across, places, strict=True):
        spread = columns[:, wide].T @ part  # (height, covered columns, C)
        window = rows[:, high].T @ spread.flatten(1)
        found[index, high, wide] += window.unflatten(1, spread.shape[1:])
    return found.permute(0, 3, 1, 2)


def _covered(weights: Tensor) -> list[slice]:
    """From the first to the last position with a weight, for each RoI of (K, count, size)."""
    used = weights.any(dim=1).byte()  # (K, size)
    first, last = used.argmax(1), used.shape[1] - used.flip(1).argmax(1)
    return [slice(*ends) for ends in zip(first.tolist(), last.tolist(), strict=True)]


def _weights(ends: Tensor, size: int, count: int, ratio: int, aligned: bool) -> Tensor | None:
    """How much each position of an axis of the map counts in each output position.

    The order of operations is torchvision's: rounding decides whether a sample at the rim counts.

    Args:
        ends: Where each RoI starts and ends along the axis, (K, 2), in positions of the map.
        size: Positions of the map along the axis.
        count: Output positions along the axis.
        ratio: Samples of an output position; 0: one for each position of the map.
        aligned: Whether coordinates are shifted by half a position.

    Returns:
        (K, count, size), or None if that takes more than ``MOST_WEIGHTS`` intermediate values.
    """
    start, end = (ends - 0.5 if aligned else ends).unbind(1)
    length = end - start if aligned else (end - start).clamp(min=1)
    bins = length / count
    samples = torch.full_like(bins, ratio) if ratio > 0 else bins.ceil()
    most = max(0, int(samples.max())) if len(samples) else 0
    if len(ends) * count * most * size > MOST_WEIGHTS:
        return None
    outputs = torch.arange(count).to(ends).unsqueeze(1)  # (count, 1)
    steps = torch.arange(most).to(ends) + 0.5  # (most,)
    start, bins, samples = (each.view(-1, 1, 1) for each in (start, bins, samples))
    taken, samples = steps < samples, samples.clamp(min=1)  # an empty RoI has none
    places = start + outputs * bins + steps * bins / samples  # (K, count, most)
    counts = taken & (places >= -1) & (places <= size)
    places = places.clamp(0, size - 1).unsqueeze(3)  # (K, count, most, 1)
    near = (1 - (places - torch.arange(size).to(ends)).abs()).clamp(min=0)
    return torch.matmul((counts / samples).to(ends).unsqueeze(2), near).squeeze(2)
