"""Adapters: what a backbone needs to be masked, exported and used by the tasks."""

from simmim_bench.language_models import leave_out_language_models

leave_out_language_models()  # before any of the files here imports mmpretrain

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
