"""Hooks of every run; a registry location."""

from simmim_bench.engine.hooks.class_report import ClassReportHook
from simmim_bench.engine.hooks.classes import ClassesHook
from simmim_bench.engine.hooks.finite_loss import FiniteLossHook
from simmim_bench.engine.hooks.fully_shard import FullyShardHook
from simmim_bench.engine.hooks.identity import IdentityHook
from simmim_bench.engine.hooks.manifest import ManifestHook
from simmim_bench.engine.hooks.mean_loss import MeanLossHook
from simmim_bench.engine.hooks.preemption import PreemptionHook
from simmim_bench.engine.hooks.pretrained import PretrainedBackboneHook
from simmim_bench.engine.hooks.progress import ProgressHook
from simmim_bench.engine.hooks.reconstruction import ReconstructionHook
from simmim_bench.engine.hooks.sample_predictions import SamplePredictionsHook
from simmim_bench.engine.hooks.seeds import SeedHook
from simmim_bench.engine.hooks.speed import SpeedHook
from simmim_bench.tasks.few_shot import ImageListHook
from simmim_bench.tasks.knn import ReserveMemoryHook
from simmim_bench.training.cost import EnergyHook, PeakMemoryHook

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
