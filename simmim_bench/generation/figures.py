"""How near painted images come to the true ones: PSNR, SSIM, and features of a network.

The third has the form of LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924, eq. 1):
features of several layers, of unit length at each position, compared position by position. LPIPS
takes a network trained on ImageNet with learned weights of channels; here all channels weigh the
same, so values are not those of LPIPS. A protocol may name a trained network, its judge. Without
one the network is drawn once from a fixed seed, so that no weights need be downloaded and no
measured method is near to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, cosine_similarity, pad, relu

from simmim_bench.analysis.images import Marks, Pixels
from simmim_bench.features.base import Levels
from simmim_bench.reconstruction import masked_psnr, masked_ssim

WIDTHS = (3, 32, 64, 128)
HIGHEST_PSNR = 100.0  # dB, also for equal images, whose ratio is infinite
SEED = 0
BATCH = 32  # images that a judge sees at once

PairLevels = Callable[[Tensor, Tensor], tuple[Levels, Levels]]
"""From two batches of images in [0, 1] to the feature maps of each."""


def compare(
    painted: Pixels, images: Pixels, marks: Marks, *, judge: PairLevels | None = None
) -> dict[str, float]:
    """Means over images; higher is better.

    Args:
        painted: (B, H, W, 3), uint8.
        images: The true ones, same shape.
        marks: Bool, (B, H, W); the pixels that count for PSNR and SSIM. Features are compared
            over the whole image.
        judge: Whose features; None: of the random network.

    Returns:
        ``psnr`` in dB, at most 100; ``ssim`` and ``features`` in percent, not below 0.
    """
    first, second = (torch.from_numpy(each).permute(0, 3, 1, 2) / 255 for each in (painted, images))
    mask = torch.from_numpy(marks)
    return {
        "psnr": float(masked_psnr(first, second, mask).clamp(0, HIGHEST_PSNR).mean()),
        "ssim": 100 * float(masked_ssim(first, second, mask).clamp(0, 1).mean()),
        "features": 100 * float(feature_similarity(first, second, judge).mean()),
    }


def feature_similarity(first: Tensor, second: Tensor, judge: PairLevels | None = None) -> Tensor:
    """Mean over layers of the mean cosine over positions: (B,), in [0, 1]; 1 for equal images.

    Args:
        first: (B, 3, H, W), in [0, 1]; H and W at least 8.
        second: Same shape.
        judge: Whose layers; None: those of the random network.
    """
    if judge is None:
        return _mean_cosine(list(_features(first)), list(_features(second)))
    pairs = zip(first.split(BATCH), second.split(BATCH), strict=True)
    return torch.cat([_mean_cosine(*judge(*pair)) for pair in pairs])


def _mean_cosine(first: Levels, second: Levels) -> Tensor:
    """Of feature maps, (B, C, h, w) of each layer: (B,), in [0, 1]."""
    # eps: where both are all zero the cosine is 0, so equal images would not be perfect
    cosines = [
        torch.where((a == b).all(dim=1), 1.0, cosine_similarity(a, b, dim=1)).mean(dim=(1, 2))
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(cosines).mean(dim=0).clamp(0, 1)


def _features(images: Tensor) -> Iterator[Tensor]:
    """Maps of each layer: 3x3 convolution, rectified; halved between layers."""
    features = 2 * images - 1
    for number, kernel in enumerate(_kernels()):
        features = avg_pool2d(features, 2) if number else features
        features = relu(conv2d(pad(features, (1, 1, 1, 1), mode="replicate"), kernel))
        yield features


@cache
def _kernels() -> tuple[Tensor, ...]:
    """Drawn as He et al. 2015 do, by NumPy, whose numbers are the same on every machine."""
    rng = np.random.default_rng(SEED)
    shapes = [(after, before, 3, 3) for before, after in pairwise(WIDTHS)]
    return tuple(
        torch.from_numpy(rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)).float()
        for shape in shapes
    )
