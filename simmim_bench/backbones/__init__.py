"""Adapters: what a backbone needs to be masked, exported and used by the tasks."""

from simmim_bench.backbones.base import (
    BackboneAdapter,
    FeatureSpec,
    Resized,
    adapter_for,
    adapters,
    register_adapter,
)

__all__ = [
    "BackboneAdapter",
    "FeatureSpec",
    "Resized",
    "adapter_for",
    "adapters",
    "register_adapter",
]
