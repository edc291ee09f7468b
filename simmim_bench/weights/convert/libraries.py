"""Build the same backbone in each library, to compare keys and outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.vision_transformer import VisionTransformer

from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS
from simmim_bench.weights.convert.architecture import RESNET_BLOCKS, Architecture
from simmim_bench.weights.convert.layouts import PACKAGES
from simmim_bench.weights.convert.runnable import Runnable
from simmim_bench.weights.convert.transformers_model import transformers_backbone
from simmim_bench.weights.strict import compare_with_model

LAST_MAP = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


def own_backbone(architecture: Architecture) -> nn.Module:
    """Our class (that of mmpretrain), with random weights.

    Raises:
        BenchError: If no backbone has these sizes, as those of a damaged checkpoint.
    """
    try:
        built: nn.Module = MODELS.build(copy.deepcopy(architecture.config))
    except Exception as error:  # whatever a class says about odd sizes
        config = f"{architecture.config!r:.300}"
        raise BenchError(
            f"the shapes in the checkpoint are not those of a backbone: {config} cannot be built "
            f"({type(error).__name__}: {error!s:.100}); use the original file"
        ) from error
    return built


def loaded_backbone(architecture: Architecture, state: Mapping[str, Tensor]) -> nn.Module:
    """Our class with these weights.

    Raises:
        RuntimeError: If they do not fit, every key.
    """
    backbone = own_backbone(architecture)
    differing = compare_with_model(backbone, state)
    if differing:
        raise RuntimeError(str(differing))
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
    if library not in PACKAGES:
        return None
    if library == "transformers":
        return transformers_backbone(architecture, state)
    if library == "timm":
        return _timm_backbone(architecture, state)
    if library == "torchvision":
        return _torchvision_backbone(architecture, state)
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


def _torchvision_backbone(
    architecture: Architecture, state: Mapping[str, Tensor]
) -> Runnable | None:
    """Torchvision's backbone with weights in it, or None where its class has no such options.

    Raises:
        RuntimeError: If the weights do not fit, every key.
    """
    return _TORCHVISION[architecture.adapter](architecture.config, state)


def _torchvision_resnet(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Runnable | None:
    if (config["in_channels"], config["stem_channels"], config["base_channels"]) != (3, 64, 64):
        return None
    bottleneck, layers = RESNET_BLOCKS[config["depth"]]
    model: Any = ResNet(Bottleneck if bottleneck else BasicBlock, list(layers))
    model.fc = nn.Identity()
    model.load_state_dict(state, strict=True)
    return Runnable(model, run=nn.Sequential(*(getattr(model, name) for name in LAST_MAP)))


def _torchvision_convnext(
    config: Mapping[str, Any], state: Mapping[str, Tensor]
) -> Runnable | None:
    plain = config["layer_scale_init_value"] and not config["use_grn"]
    if not plain or (config["in_channels"], config["stem_patch_size"]) != (3, 4):
        return None
    channels, depths = config["arch"]["channels"], config["arch"]["depths"]
    following = [*channels[1:], None]
    stages = [CNBlockConfig(*stage) for stage in zip(channels, following, depths, strict=True)]
    model: Any = ConvNeXt(stages)
    model.classifier[2] = nn.Identity()
    model.load_state_dict(state, strict=True)
    return Runnable(model, run=nn.Sequential(model.features, model.classifier[0]))


def _torchvision_vit(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> Runnable | None:
    arch = config["arch"]
    if config["in_channels"] != 3 or not config["with_cls_token"]:
        return None
    model: Any = VisionTransformer(
        image_size=config["img_size"],
        patch_size=config["patch_size"],
        num_layers=arch["num_layers"],
        num_heads=arch["num_heads"],
        hidden_dim=arch["embed_dims"],
        mlp_dim=arch["feedforward_channels"],
    )
    model.heads = nn.Identity()
    model.load_state_dict(state, strict=True)

    def run(images: Tensor) -> Tensor:
        patches = model._process_input(images)
        first = model.class_token.expand(len(images), -1, -1)
        tokens: Tensor = model.encoder(torch.cat([first, patches], dim=1))
        return tokens

    return Runnable(model, run=run)


_TORCHVISION = {
    "plain_vit": _torchvision_vit,
    "resnet": _torchvision_resnet,
    "convnext": _torchvision_convnext,
}


def _timm_backbone(architecture: Architecture, state: Mapping[str, Tensor]) -> Runnable | None:
    """Timm's backbone with weights in it, or None where timm is not installed.

    Raises:
        RuntimeError: If the weights do not fit, every key.
    """
    if find_spec("timm") is None:
        return None
    from timm.models.beit import Beit
    from timm.models.convnext import ConvNeXt
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.swin_transformer_v2 import SwinTransformerV2
    from timm.models.vision_transformer import VisionTransformer

    classes = {
        "swin": SwinTransformer,
        "swinv2": SwinTransformerV2,
        "vit": Beit,
        "plain_vit": VisionTransformer,
        "resnet": ResNet,
        "convnext": ConvNeXt,
    }
    options = _TIMM_OPTIONS[architecture.adapter](architecture)
    if architecture.adapter == "resnet":
        options["block"] = Bottleneck if options["block"] else BasicBlock
    model: Any = classes[architecture.adapter](**options, num_classes=0)
    model.load_state_dict(state, strict=True)
    if architecture.adapter == "convnext":  # the map that our class normalises, before pooling
        return Runnable(model, run=lambda images: model.head.norm(model.forward_features(images)))
    return Runnable(model, channels_last=architecture.adapter in ("swin", "swinv2"))


def _timm_swin(architecture: Architecture) -> dict[str, Any]:
    config = architecture.config
    arch = config["arch"]
    return {
        "img_size": config["img_size"],
        "patch_size": config["patch_size"],
        "in_chans": config["in_channels"],
        "embed_dim": arch["embed_dims"],
        "depths": arch["depths"],
        "num_heads": arch["num_heads"],
        "window_size": _largest(config["window_size"]),  # timm makes it fit each stage's map
    }


def _largest(window: int | list[int]) -> int:
    return window if isinstance(window, int) else max(window)


def _timm_vit(architecture: Architecture) -> dict[str, Any]:
    config = architecture.config
    arch, pooled = config["arch"], config["out_type"] == "avg_featmap"
    shared = {
        "img_size": config["img_size"],
        "patch_size": config["patch_size"],
        "in_chans": config["in_channels"],
        "embed_dim": arch["embed_dims"],
        "depth": arch["num_layers"],
        "num_heads": arch["num_heads"],
        "mlp_ratio": arch["feedforward_channels"] / arch["embed_dims"],
        "init_values": config["layer_scale_init_value"] or None,
        "global_pool": "avg" if pooled else "token",
    }
    if architecture.adapter == "vit":
        return {
            **shared,
            "use_fc_norm": pooled,
            "use_abs_pos_emb": config["use_abs_pos_emb"],
            "use_rel_pos_bias": config["use_rel_pos_bias"],
            "use_shared_rel_pos_bias": config["use_shared_rel_pos_bias"],
        }
    return {
        **shared,
        "fc_norm": pooled,
        "final_norm": config["final_norm"] or pooled,
        "qkv_bias": config["qkv_bias"],
        "class_token": config["with_cls_token"],
    }


def _timm_resnet(architecture: Architecture) -> dict[str, Any]:
    """``block`` is whether it is a bottleneck."""
    config = architecture.config
    bottleneck, layers = RESNET_BLOCKS[config["depth"]]
    return {
        "block": bottleneck,
        "layers": layers,
        "in_chans": config["in_channels"],
        "stem_width": config["stem_channels"],
        "channels": tuple(config["base_channels"] * 2**stage for stage in range(len(layers))),
    }


def _timm_convnext(architecture: Architecture) -> dict[str, Any]:
    config = architecture.config
    return {
        "in_chans": config["in_channels"],
        "depths": config["arch"]["depths"],
        "dims": config["arch"]["channels"],
        "patch_size": config["stem_patch_size"],
        "conv_mlp": not config["linear_pw_conv"],
        "use_grn": config["use_grn"],
        "ls_init_value": config["layer_scale_init_value"] or None,
    }


_TIMM_OPTIONS = {
    "swin": _timm_swin,
    "swinv2": _timm_swin,
    "vit": _timm_vit,
    "plain_vit": _timm_vit,
    "resnet": _timm_resnet,
    "convnext": _timm_convnext,
}
