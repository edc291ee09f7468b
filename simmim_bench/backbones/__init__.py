"""Adapters: what a backbone needs to be masked, exported and used densely, one a file."""

from simmim_bench.backbones.base import BackboneAdapter, FeatureSpec, Resized
from simmim_bench.backbones.lookup import adapter_for
from simmim_bench.backbones.plain_cnn import PlainCNN
from simmim_bench.backbones.swin import SwinAdapter
from simmim_bench.backbones.timm import TimmFeatures
from simmim_bench.backbones.vit import ViTAdapter
from simmim_bench.backbones.windowed_vit import WindowedBEiTViT, WindowedViT

__all__ = [
    "BackboneAdapter",
    "FeatureSpec",
    "PlainCNN",
    "Resized",
    "SwinAdapter",
    "TimmFeatures",
    "ViTAdapter",
    "WindowedBEiTViT",
    "WindowedViT",
    "adapter_for",
]
