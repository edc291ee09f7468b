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
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, cosine_similarity, pad, relu

from simmim_bench.analysis.images import Marks, Pixels
from simmim_bench.config import resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.models.features import FrozenFeatures, Levels
from simmim_bench.reconstruction import masked_psnr, masked_ssim
from simmim_bench.records.manifest import FileRef
from simmim_bench.records.schema import PositiveFloat, Sha256, StrictModel, Text, validate
from simmim_bench.training.failures import explained

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


# The judge that a painting protocol may name: a trained network whose features are compared.


KEY = "painting.judge"
MEAN, STD = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
"""Of images in [0, 1], as ``FrozenFeatures`` counts them: 0 to 255."""


class JudgeConfig(StrictModel):
    """What a protocol says of its judge: arguments of ``FrozenFeatures``, and a hash.

    ``sha256`` is that of the checkpoint; with it no other weights can stand under the protocol's
    name.
    """

    checkpoint: Text
    sha256: Sha256 | None = None
    model: dict[str, Any] | None = None
    levels: Annotated[list[int], Field(strict=False)] | None = None
    network_mean: Annotated[tuple[float, float, float], Field(strict=False)]
    network_std: Annotated[tuple[PositiveFloat, PositiveFloat, PositiveFloat], Field(strict=False)]


@dataclass(frozen=True)
class Judge:
    """Network, ready for images in [0, 1], and the file of its weights."""

    features: FrozenFeatures
    file: FileRef


def load_judge(protocol: Any, path: str) -> Judge | None:
    """Load the judge of ``protocol`` and try it on one image.

    Args:
        protocol: Config of a painting protocol.
        path: Its file, for errors.

    Returns:
        None if the protocol names none.

    Raises:
        BenchError: If it is not described as ``JudgeConfig`` says; if its checkpoint is missing,
            damaged, of another network or another file; if the network cannot see images of the
            protocol's size.
    """
    stated = protocol.painting.get("judge")
    if stated is None:
        return None
    plain = stated.to_dict() if hasattr(stated, "to_dict") else stated
    remedy = "describe it as configs/generation/painting_coco-vgg16.py does"
    config = validate(JudgeConfig, plain, source=f"{path}: {KEY}", remedy=remedy)
    arguments = config.model_dump(exclude={"sha256"})
    try:
        with explained(path):
            features = FrozenFeatures(**arguments, mean=MEAN, std=STD)
            _check_sight(features, protocol.protocol.image_size)
    except BenchError as error:
        raise BenchError(f"{KEY}: {error}") from error
    found = sha256_file(Path(config.checkpoint))
    if config.sha256 not in (None, found):
        raise BenchError(
            f"{KEY}: {config.checkpoint} has sha256 {found}, {path} is of {config.sha256}; fetch "
            f"that file, or give another judge a protocol of its own"
        )
    return Judge(features, FileRef(path=config.checkpoint, sha256=found))


def protocol_hash(protocol: Any, judge: Judge | None) -> str:
    """``resolved_hash`` with the judge's weights in the place of the path where they lie."""
    if judge is None:
        return resolved_hash(protocol)
    portable = deepcopy(protocol)
    portable.painting.judge.checkpoint = judge.file.sha256
    return resolved_hash(portable)


def _check_sight(features: FrozenFeatures, side: int) -> None:
    """Refuse a network that cannot see a grey square of ``side`` pixels."""
    grey = torch.full((1, 3, side, side), 0.5)
    what = f"{type(features.network).__name__} on images of {side}x{side} pixels"
    try:
        levels, _ = features(grey, grey)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BenchError(f"{what}: {reason}; give a network for images of that size") from error
    if not all(level.isfinite().all() for level in levels):
        raise BenchError(f"{what} gives features that are not finite; give sound weights")
