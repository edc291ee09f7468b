"""Fine-tuning: strict loading of pretrained backbones and what tasks need around them."""

from simmim_bench.finetune.feature_pyramid import SimpleFeaturePyramid
from simmim_bench.finetune.knn import KNNClassifier
from simmim_bench.finetune.layer_decay import LayerDecayOptimWrapperConstructor
from simmim_bench.finetune.linear_probe import LinearProbe, LinearProbeHead

__all__ = [
    "KNNClassifier",
    "LayerDecayOptimWrapperConstructor",
    "LinearProbe",
    "LinearProbeHead",
    "SimpleFeaturePyramid",
]
