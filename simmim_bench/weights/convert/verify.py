"""Run a backbone in the library it came from and in the one it goes to, on the same input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from simmim_bench.backbones.base import COLOURS
from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.convert.libraries import build_runnable

TOLERANCE = 1e-4
"""Largest relative difference of features that is accepted, float32."""


@dataclass(frozen=True)
class Side:
    """One side of a conversion: a library, weights under its names, and what they build."""

    library: str
    name: str
    state: Mapping[str, Tensor]
    architecture: Architecture


@dataclass(frozen=True)
class Verification:
    """Outcome of running both sides.

    Args:
        ran: Whether both could be built.
        difference: Largest difference of features, relative to the largest feature.
        note: What was run, or why not.
    """

    ran: bool
    difference: float | None
    note: str


def verify(source: Side, target: Side) -> Verification:
    """Compare the last features of both sides on one random image.

    Raises:
        BenchError: If they differ by more than ``TOLERANCE``, or a library refuses its weights.
    """
    sides = []
    several = "mmdet" in (source.library, target.library)
    for side in (source, target):
        architecture = _larger(side.architecture) if several else side.architecture
        try:
            built = build_runnable(side.library, architecture, side.state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise BenchError(
                f"the {architecture.adapter} of {side.library} cannot load these weights "
                f"({reason}); the file is of a variant that is not supported"
            ) from error
        if built is None:
            return Verification(
                False, None, f"not run: {side.library} is not installed or lacks this class"
            )
        sides.append(built)
    size, channels = architecture.image_size, architecture.config.get("in_channels", COLOURS)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, channels, size, size, generator=generator)
    expected, found = (side.features(images) for side in sides)
    difference = ((found - expected).abs().max() / expected.abs().max()).item()
    if not difference <= TOLERANCE:  # also if NaN
        raise BenchError(
            f"the features of {source.name} and {target.name} differ by {difference:.1e} on the "
            f"same image, which is more than {TOLERANCE:.0e} (relative); nothing was written"
        )
    return Verification(
        True,
        difference,
        f"{source.name} and {target.name} on one {size} x {size} image, before any resizing",
    )


def _larger(architecture: Architecture) -> Architecture:
    """Twice the image for Swin: mmdet shifts windows even where one covers the whole map."""
    config = architecture.config
    if architecture.adapter != "swin" or "stage_cfgs" in config or config["use_abs_pos_embed"]:
        return architecture
    return replace(architecture, config={**config, "img_size": 2 * config["img_size"]})
