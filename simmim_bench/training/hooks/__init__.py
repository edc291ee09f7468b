"""Hooks of every run; a registry location."""

from __future__ import annotations

from simmim_bench.tasks.few_shot import ImageListHook
from simmim_bench.tasks.knn import ReserveMemoryHook
from simmim_bench.training.cost import EnergyHook, PeakMemoryHook
from simmim_bench.training.hooks.class_report import ClassReportHook
from simmim_bench.training.hooks.manifest import ManifestHook, ProgressHook
from simmim_bench.training.hooks.pictures import ReconstructionHook, SamplePredictionsHook
from simmim_bench.training.hooks.preemption import PreemptionHook
from simmim_bench.training.hooks.scale import FullyShardHook, SpeedHook
from simmim_bench.training.hooks.start import ClassesHook, IdentityHook, PretrainedBackboneHook
from simmim_bench.training.hooks.steps import FiniteLossHook, MeanLossHook, SeedHook

__all__ = [
    "ClassReportHook",
    "ClassesHook",
    "EnergyHook",
    "FiniteLossHook",
    "FullyShardHook",
    "IdentityHook",
    "ImageListHook",
    "ManifestHook",
    "MeanLossHook",
    "PeakMemoryHook",
    "PreemptionHook",
    "PretrainedBackboneHook",
    "ProgressHook",
    "ReconstructionHook",
    "ReserveMemoryHook",
    "SamplePredictionsHook",
    "SeedHook",
    "SpeedHook",
]
