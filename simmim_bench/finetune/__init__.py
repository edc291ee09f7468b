"""Fine-tuning: strict loading of pretrained backbones and what tasks need around them."""

from simmim_bench.finetune.feature_pyramid import SimpleFeaturePyramid
from simmim_bench.finetune.layer_decay import LayerDecayOptimWrapperConstructor

__all__ = ["LayerDecayOptimWrapperConstructor", "SimpleFeaturePyramid"]
