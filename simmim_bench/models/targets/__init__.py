"""Prediction targets, one a file."""

from __future__ import annotations

from simmim_bench.models.targets.base import Target
from simmim_bench.models.targets.colours import ColourBins, ColourClusters
from simmim_bench.models.targets.rgb import (
    DownsampledRGB,
    NormalisedRGB,
    PatchNormalisedRGB,
    WindowNormalisedRGB,
)
from simmim_bench.models.targets.teacher import TeacherFeatures

__all__ = [
    "ColourBins",
    "ColourClusters",
    "DownsampledRGB",
    "NormalisedRGB",
    "PatchNormalisedRGB",
    "Target",
    "TeacherFeatures",
    "WindowNormalisedRGB",
]
