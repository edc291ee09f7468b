"""Build a backbone of any architecture that torchvision has, in torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from simmim_bench.checkpoint.architecture_convolutional import RESNET_BLOCKS
from simmim_bench.checkpoint.runnable import Runnable
from simmim_bench.checkpoint.shapes import Architecture

LAST_MAP = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def torchvision_backbone(
    architecture: Architecture, state: Mapping[str, Tensor]
) -> Runnable | None:
    """Torchvision's backbone with weights in it, or None where its class has no such options.

    Raises:
        RuntimeError: If the weights do not fit, every key.
    """
    return _BUILD[architecture.adapter](architecture.config, state)


def _resnet(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Runnable | None:
    if (config["in_channels"], config["stem_channels"], config["base_channels"]) != (3, 64, 64):
        return None
    bottleneck, layers = RESNET_BLOCKS[config["depth"]]
    model: Any = ResNet(Bottleneck if bottleneck else BasicBlock, list(layers))
    model.fc = nn.Identity()
    model.load_state_dict(state, strict=True)
    return Runnable(model, run=nn.Sequential(*(getattr(model, name) for name in LAST_MAP)))


def _convnext(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Runnable | None:
    plain = config["linear_pw_conv"] and config["layer_scale_init_value"] and not config["use_grn"]
    if not plain or (config["in_channels"], config["stem_patch_size"]) != (3, 4):
        return None
    channels, depths = config["arch"]["channels"], config["arch"]["depths"]
    following = [*channels[1:], None]
    stages = [CNBlockConfig(*stage) for stage in zip(channels, following, depths, strict=True)]
    model: Any = ConvNeXt(stages)
    model.classifier[2] = nn.Identity()
    model.load_state_dict(state, strict=True)
    return Runnable(model, run=nn.Sequential(model.features, model.classifier[0]))


_BUILD = {"resnet": _resnet, "convnext": _convnext}
