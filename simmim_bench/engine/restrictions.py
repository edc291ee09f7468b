"""Trainings that would compute something else, or fail, if they were sharded or recomputed."""

from __future__ import annotations

from mmengine.model import BaseAveragedModel
from mmpretrain.models.backbones import VisionTransformer
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.models import SparseSimMIM
from simmim_bench.models.features import OwnFeatures


def refuse_sharded(model: nn.Module) -> None:
    """Refuse ``--fsdp`` where parameters are read past the modules that hold them.

    Raises:
        BenchError: If a moving average follows them, or they count as constants for a while.
    """
    for module in model.modules():
        if isinstance(module, BaseAveragedModel):
            raise BenchError(
                f"--fsdp: {type(module).__name__} averages whole parameters, which a sharded model "
                f"does not hold; train without it"
            )
    _refuse_constants(model, "--fsdp")


def refuse_recomputed(model: nn.Module) -> None:
    """Refuse ``--recompute`` where blocks are other ones in the forward than in the backward pass.

    Raises:
        BenchError: If blocks see visible tokens alone, or constant weights, for a while.
    """
    if isinstance(model, SparseSimMIM) and type(model.backbone) is not VisionTransformer:
        raise BenchError(
            f"--recompute: the blocks of a sparse {type(model.backbone).__name__} know the mask in "
            f"the forward pass alone; train without it"
        )
    _refuse_constants(model, "--recompute")


def _refuse_constants(model: nn.Module, flag: str) -> None:
    if any(isinstance(module, OwnFeatures) and not module.learn for module in model.modules()):
        raise BenchError(
            f"{flag}: OwnFeatures(learn=False) takes the encoder's weights as constants, which "
            f"they would not stay; train without it, or with FrozenFeatures"
        )
