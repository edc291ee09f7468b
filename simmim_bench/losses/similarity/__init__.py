"""How unlike the features of a reconstruction and of its original are; a registry location."""

from simmim_bench.losses.similarity.base import FeatureDistance
from simmim_bench.losses.similarity.cosine import CosineDistance
from simmim_bench.losses.similarity.info_nce import InfoNCE
from simmim_bench.losses.similarity.perceptual import PerceptualDistance

__all__ = ["CosineDistance", "FeatureDistance", "InfoNCE", "PerceptualDistance"]
