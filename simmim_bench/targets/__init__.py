"""Prediction targets, one a file."""

from simmim_bench.targets.base import Target
from simmim_bench.targets.colour_bins import ColourBins
from simmim_bench.targets.colour_clusters import ColourClusters
from simmim_bench.targets.downsampled_rgb import DownsampledRGB
from simmim_bench.targets.normalised_rgb import NormalisedRGB
from simmim_bench.targets.patch_normalised_rgb import PatchNormalisedRGB
from simmim_bench.targets.teacher import TeacherFeatures
from simmim_bench.targets.window_normalised_rgb import WindowNormalisedRGB

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
