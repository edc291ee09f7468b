"""Similarity of predicted and true images: PSNR, SSIM, and features of a reference network.

The third has the form of LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924, eq. 1): the
cosine of features at each position, averaged over positions and layers. LPIPS uses a network
trained on ImageNet and learned channel weights; here all channels count the same, so values are
not those of LPIPS. A protocol may name a trained network (``painting.reference_network``). By
default the network has random weights from a fixed seed: nothing is downloaded, and it favours no
method.
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

from simmim_bench.analysis.images import PixelMask, Pixels
from simmim_bench.config import resolved_hash
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.models.features import FrozenFeatures, Levels
from simmim_bench.reconstruction import masked_psnr, masked_ssim
from simmim_bench.records.manifest import FileRef
from simmim_bench.records.schema import PositiveFloat, Sha256, StrictModel, Text, validate
from simmim_bench.training.failures import explained

WIDTHS = (3, 32, 64, 128)
HIGHEST_PSNR = 100.0  # dB; also of equal images, whose ratio is infinite
SEED = 0
BATCH = 32  # images that the reference network sees at once

PairLevels = Callable[[Tensor, Tensor], tuple[Levels, Levels]]
"""Feature maps of two batches of images in [0, 1]."""

KEY = "painting.reference_network"
MEAN, STD = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
"""Of images in [0, 1]; ``FrozenFeatures`` expects a scale of 0 to 255."""


def compare(
    predicted: Pixels, images: Pixels, masks: PixelMask, *, reference: PairLevels | None = None
) -> dict[str, float]:
    """Metrics, averaged over images; higher is better.

    Args:
        predicted: (B, H, W, 3), uint8.
        images: True images, same shape.
        masks: Bool, (B, H, W); pixels that PSNR and SSIM compare. Features are compared over the
            whole image.
        reference: Reference network; None: the random one.

    Returns:
        ``psnr`` in dB, at most 100; ``ssim`` and ``features`` in percent, at least 0.
    """
    first, second = (
        torch.from_numpy(each).permute(0, 3, 1, 2) / 255 for each in (predicted, images)
    )
    mask = torch.from_numpy(masks)
    return {
        "psnr": float(masked_psnr(first, second, mask).clamp(0, HIGHEST_PSNR).mean()),
        "ssim": 100 * float(masked_ssim(first, second, mask).clamp(0, 1).mean()),
        "features": 100 * float(feature_similarity(first, second, reference).mean()),
    }


def feature_similarity(
    first: Tensor, second: Tensor, reference: PairLevels | None = None
) -> Tensor:
    """Mean over layers of the mean cosine over positions: (B,), in [0, 1]; 1 for equal images.

    Args:
        first: (B, 3, H, W), in [0, 1]; H and W at least 8.
        second: Same shape.
        reference: Reference network; None: the random one.
    """
    if reference is None:
        return _mean_cosine(list(_features(first)), list(_features(second)))
    pairs = zip(first.split(BATCH), second.split(BATCH), strict=True)
    return torch.cat([_mean_cosine(*reference(*pair)) for pair in pairs])


class ReferenceConfig(StrictModel):
    """``painting.reference_network`` of a protocol: arguments of ``FrozenFeatures``, and a hash.

    ``sha256`` is the hash of the checkpoint; other weights are refused.
    """

    checkpoint: Text
    sha256: Sha256 | None = None
    model: dict[str, Any] | None = None
    levels: Annotated[list[int], Field(strict=False)] | None = None
    network_mean: Annotated[tuple[float, float, float], Field(strict=False)]
    network_std: Annotated[tuple[PositiveFloat, PositiveFloat, PositiveFloat], Field(strict=False)]


@dataclass(frozen=True)
class ReferenceNetwork:
    """Network for images in [0, 1], and the file of its weights."""

    features: FrozenFeatures
    file: FileRef


def load_reference(protocol: Any, path: str) -> ReferenceNetwork | None:
    """Load the reference network of ``protocol`` and try it on one image.

    Args:
        protocol: Config of a painting protocol.
        path: File of the protocol, for errors.

    Returns:
        None if the protocol has none.

    Raises:
        BenchError: If ``painting.reference_network`` is invalid, its checkpoint is missing or
            damaged, does not fit or has another hash, or the network does not accept images of this
            size.
    """
    stated = protocol.painting.get("reference_network")
    if stated is None:
        return None
    plain = stated.to_dict() if hasattr(stated, "to_dict") else stated
    remedy = "describe it as configs/generation/painting_coco-vgg16.py does"
    config = validate(ReferenceConfig, plain, source=f"{path}: {KEY}", remedy=remedy)
    arguments = config.model_dump(exclude={"sha256"})
    try:
        with explained(path):
            features = FrozenFeatures(**arguments, mean=MEAN, std=STD)
            _check_size(features, protocol.protocol.image_size)
    except BenchError as error:
        raise BenchError(f"{KEY}: {error}") from error
    found = sha256_file(Path(config.checkpoint))
    if config.sha256 not in (None, found):
        raise BenchError(
            f"{KEY}: {config.checkpoint} has sha256 {found}, {path} expects {config.sha256}; get "
            f"that file, or write a new protocol for another reference network"
        )
    return ReferenceNetwork(features, FileRef(path=config.checkpoint, sha256=found))


def protocol_hash(protocol: Any, reference: ReferenceNetwork | None) -> str:
    """``resolved_hash`` with the hash of the reference network's weights instead of their path."""
    if reference is None:
        return resolved_hash(protocol)
    portable = deepcopy(protocol)
    portable.painting.reference_network.checkpoint = reference.file.sha256
    return resolved_hash(portable)


def _mean_cosine(first: Levels, second: Levels) -> Tensor:
    """Mean cosine of feature maps, (B, C, h, w) of each layer: (B,), in [0, 1]."""
    # the cosine of two zero vectors would be 0
    cosines = [
        torch.where((a == b).all(dim=1), 1.0, cosine_similarity(a, b, dim=1)).mean(dim=(1, 2))
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(cosines).mean(dim=0).clamp(0, 1)


def _features(images: Tensor) -> Iterator[Tensor]:
    """Feature maps of the random network: 3x3 convolutions with ReLU, halved between layers."""
    features = 2 * images - 1
    for number, kernel in enumerate(_kernels()):
        features = avg_pool2d(features, 2) if number else features
        features = relu(conv2d(pad(features, (1, 1, 1, 1), mode="replicate"), kernel))
        yield features


@cache
def _kernels() -> tuple[Tensor, ...]:
    """Random weights (He et al. 2015), drawn by NumPy: the same on every machine."""
    rng = np.random.default_rng(SEED)
    shapes = [(after, before, 3, 3) for before, after in pairwise(WIDTHS)]
    return tuple(
        torch.from_numpy(rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)).float()
        for shape in shapes
    )


def _check_size(features: FrozenFeatures, side: int) -> None:
    """Raise if the network does not accept a grey square of ``side`` pixels."""
    grey = torch.full((1, 3, side, side), 0.5)
    what = f"{type(features.network).__name__} on images of {side}x{side} pixels"
    try:
        levels, _ = features(grey, grey)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BenchError(f"{what}: {reason}; give a network for images of that size") from error
    if not all(level.isfinite().all() for level in levels):
        raise BenchError(f"{what} gives features that are not finite; check the weights")
