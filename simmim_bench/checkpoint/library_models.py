"""Build the same backbone in each library, to compare keys and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.checkpoint.architecture import Architecture
from simmim_bench.registry import MODELS


class Runnable:
    """A backbone of some library, and its last features in one common shape."""

    def __init__(self, model: nn.Module, *, channels_last: bool = False) -> None:
        self.model = model.eval() or model  # SwinTransformer.train returns None
        self.channels_last = channels_last

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, tokens, C), class token first where there is one."""
        model: Any = self.model
        if hasattr(model, "forward_features"):
            output = model.forward_features(images)
        else:
            output = model(images)[-1]
        if output.ndim == 3:
            return output
        return output.flatten(1, 2) if self.channels_last else output.flatten(2).transpose(1, 2)


def own_backbone(architecture: Architecture) -> nn.Module:
    """Our class (mmpretrain's), with arbitrary weights."""
    built: nn.Module = MODELS.build(
        {**architecture.config, "arch": {**architecture.config["arch"]}}
    )
    return built


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
    if library == "simmim":
        return None
    if library == "timm":
        return _timm(architecture, state)
    if library == "mmdet" and architecture.adapter == "swin":
        return _mmdet_swin(architecture, state)
    model = own_backbone(architecture)
    model.load_state_dict(state, strict=True)
    if architecture.adapter != "swin":
        model.out_type = "raw"
    return Runnable(model)


def _timm(architecture: Architecture, state: Mapping[str, Tensor]) -> Runnable | None:
    if find_spec("timm") is None:
        return None
    from timm.models.beit import Beit
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    classes = {"swin": SwinTransformer, "vit": Beit, "plain_vit": VisionTransformer}
    options = _timm_swin if architecture.adapter == "swin" else _timm_vit
    model = classes[architecture.adapter](**options(architecture), num_classes=0)
    model.load_state_dict(state, strict=True)
    return Runnable(model, channels_last=True)


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
        "window_size": config["window_size"],  # timm makes it fit each stage's map
    }


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
