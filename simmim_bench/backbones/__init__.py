"""Adapters: what a backbone needs to be masked, exported and used by the tasks."""

from simmim_bench.unused_imports import leave_out_unused

leave_out_unused()  # before any of the files here imports mmpretrain

from simmim_bench.backbones.base import (  # noqa: E402
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
