"""Build the same backbone in each library, to compare keys and outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.architecture_convolutional import RESNET_BLOCKS, Architecture
from simmim_bench.weights.convert.layouts import WITHOUT_PACKAGE
from simmim_bench.weights.convert.runnable import Runnable
from simmim_bench.weights.convert.timm_models import timm_backbone
from simmim_bench.weights.strict import difference


def own_backbone(architecture: Architecture) -> nn.Module:
    """Our class (mmpretrain's), with arbitrary weights."""
    built: nn.Module = MODELS.build(copy.deepcopy(architecture.config))
    return built


def loaded_backbone(architecture: Architecture, state: Mapping[str, Tensor]) -> nn.Module:
    """Our class with these weights.

    Raises:
        RuntimeError: If they do not fit, every key.
    """
    backbone = own_backbone(architecture)
    differing = difference(backbone, state)
    if differing:
        raise RuntimeError(differing)
    backbone.load_state_dict(state, strict=False)  # Swin V2 drops what it computes itself
    return backbone


def build_runnable(
    library: str, architecture: Architecture, state: Mapping[str, Tensor]
) -> Runnable | None:
    """A library's backbone with weights in it, or None where it cannot be built.

    Args:
        library: As in ``layouts.TARGETS``.
        architecture: What to build.
        state: Backbone weights under that library's names, without prefix.

    Raises:
        RuntimeError: If the weights do not fit the library's class, every key.
    """
    if library in WITHOUT_PACKAGE:
        return None
    if library == "timm":
        return timm_backbone(architecture, state)
    if library == "torchvision":
        return torchvision_backbone(architecture, state)
    if library == "mmdet" and architecture.adapter in _MMDET:
        return _MMDET[architecture.adapter](architecture, state)
    model: Any = loaded_backbone(architecture, state)
    if architecture.adapter in ("vit", "plain_vit"):
        model.out_type = "raw"
    return Runnable(model)


def _mmdet_swin(architecture: Architecture, state: Mapping[str, Tensor]) -> Runnable | None:
    config = architecture.config
    if find_spec("mmdet") is None or "stage_cfgs" in config or config["use_abs_pos_embed"]:
        return None
    from mmdet.models.backbones import SwinTransformer

    arch = config["arch"]
    model = SwinTransformer(
        pretrain_img_size=config["img_size"],
        in_channels=config["in_channels"],
        embed_dims=arch["embed_dims"],
        patch_size=config["patch_size"],
        window_size=config["window_size"],
        depths=tuple(arch["depths"]),
        num_heads=tuple(arch["num_heads"]),
        out_indices=config["out_indices"],
    )
    model.load_state_dict(state, strict=True)
    return Runnable(model)


def _mmdet_resnet(architecture: Architecture, state: Mapping[str, Tensor]) -> Runnable | None:
    if find_spec("mmdet") is None:
        return None
    from mmdet.models.backbones import ResNet

    options = {key: value for key, value in architecture.config.items() if key != "type"}
    model = ResNet(**options)
    model.load_state_dict(state, strict=True)
    return Runnable(model)


_MMDET = {"swin": _mmdet_swin, "resnet": _mmdet_resnet}


# Build a backbone of any architecture that torchvision has, in torchvision.


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
