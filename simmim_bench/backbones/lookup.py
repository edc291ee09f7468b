"""From a backbone to its adapter."""

from __future__ import annotations

from torch import nn

from simmim_bench.backbones.base import BackboneAdapter
from simmim_bench.backbones.convnext import ConvNeXtAdapter
from simmim_bench.backbones.plain_cnn import CNNAdapter
from simmim_bench.backbones.plain_vit import PlainViTAdapter
from simmim_bench.backbones.resnet import ResNetAdapter
from simmim_bench.backbones.swin import SwinAdapter
from simmim_bench.backbones.swinv2 import SwinV2Adapter
from simmim_bench.backbones.timm import TimmAdapter
from simmim_bench.backbones.vit import ViTAdapter
from simmim_bench.errors import BenchError

ADAPTERS: tuple[type[BackboneAdapter], ...] = (
    SwinAdapter,
    SwinV2Adapter,
    ViTAdapter,
    PlainViTAdapter,
    ResNetAdapter,
    ConvNeXtAdapter,
    CNNAdapter,
    TimmAdapter,
)


def adapter_for(backbone: nn.Module) -> BackboneAdapter:
    """Wrap ``backbone`` in the adapter of its class.

    Raises:
        BenchError: If no adapter serves the class; the message lists the known classes.
    """
    for adapter in ADAPTERS:
        if isinstance(backbone, adapter.backbone_type):
            return adapter(backbone)
    known = ", ".join(adapter.backbone_type.__name__ for adapter in ADAPTERS)
    raise BenchError(
        f"no adapter for backbone {type(backbone).__name__}; known backbones are: {known}"
    )
