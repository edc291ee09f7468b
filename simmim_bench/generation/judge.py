"""The judge that a painting protocol may name: a trained network whose features are compared."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from simmim_bench.config import resolved_hash
from simmim_bench.engine.failures import explained
from simmim_bench.errors import BenchError
from simmim_bench.features import FrozenFeatures
from simmim_bench.io import sha256_file
from simmim_bench.results.manifest import FileRef
from simmim_bench.results.schema import PositiveFloat, Sha256, StrictModel, Text, validate

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
