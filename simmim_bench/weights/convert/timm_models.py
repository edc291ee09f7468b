"""Build a backbone of any known architecture in timm."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from simmim_bench.weights.convert.architecture_convolutional import RESNET_BLOCKS, Architecture
from simmim_bench.weights.convert.runnable import Runnable


def timm_backbone(architecture: Architecture, state: Mapping[str, Tensor]) -> Runnable | None:
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
    options = _OPTIONS[architecture.adapter](architecture)
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


_OPTIONS = {
    "swin": _timm_swin,
    "swinv2": _timm_swin,
    "vit": _timm_vit,
    "plain_vit": _timm_vit,
    "resnet": _timm_resnet,
    "convnext": _timm_convnext,
}
