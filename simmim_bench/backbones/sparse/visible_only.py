"""Run a backbone on its visible tokens only, without changing the backbone.

Within the context, ``backbone(images)`` drops masked tokens after the position embedding, and its
last feature map has the mask token in their place: MAE (https://arxiv.org/abs/2111.06377) for the
plain ViT, GreenMIM (https://arxiv.org/abs/2205.13515) for Swin, SparK
(https://arxiv.org/abs/2301.03580) for CNNs, which keep the dense computation and only see nothing
where pixels are masked. Parameters and keys are the
backbone's, so what was pretrained so is loaded like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from mmpretrain.models.backbones import ResNet, SwinTransformer, VisionTransformer
from torch import Tensor, nn

from simmim_bench.backbones.plain_cnn import PlainCNN
from simmim_bench.backbones.sparse.cnn import visible_cnn
from simmim_bench.backbones.sparse.swin import visible_swin
from simmim_bench.backbones.sparse.vit import visible_vit
from simmim_bench.errors import BenchError

Encoder = Callable[[nn.Module, Tensor, Tensor], AbstractContextManager[None]]


def visible_only(
    backbone: nn.Module, mask: Tensor, mask_token: Tensor
) -> AbstractContextManager[None]:
    """Context in which ``backbone(images)`` computes visible tokens only.

    Args:
        backbone: One that ``check_sparse`` accepts.
        mask: Bool, (B, H / token_size, W / token_size); True = masked.
        mask_token: (1, 1, channels of the last feature map).

    Raises:
        ValueError: If the mask is not bool, hides everything in an image, or does not fit.
    """
    if mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}, not torch.bool; True means masked")
    if bool(mask.flatten(1).all(dim=1).any()):
        raise ValueError("an image has no visible token; use a mask_ratio below 1")
    return _encoders()[type(backbone)](backbone, mask, mask_token)


def check_sparse(backbone: nn.Module) -> None:
    """Refuse a backbone that cannot run on visible tokens only.

    Raises:
        BenchError: If its class is unknown (subclasses may attend otherwise), or an option does
            not fit.
    """
    if type(backbone) not in _encoders():
        kinds = (f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in _encoders())
        raise BenchError(
            f"{type(backbone).__name__} cannot encode visible tokens only; {', '.join(kinds)} can"
        )
    if type(backbone) in (ResNet, PlainCNN):
        _check_cnn(backbone)
    else:
        _check_levels(backbone)
    if any(getattr(module, "with_cp", False) for module in backbone.modules()):
        raise BenchError(
            "with_cp=True computes blocks again when the mask is gone; a sparse backbone needs "
            "with_cp=False"
        )
    drops = [float(getattr(module, "drop_prob", 0.0)) for module in backbone.modules()]
    if isinstance(backbone, SwinTransformer) and any(drops):
        raise BenchError(
            "a sparse Swin packs the tokens of all images, and drop path would drop them together; "
            "set drop_path_rate=0.0, as SimMIM pretrains Swin"
        )


def _check_levels(backbone: nn.Module) -> None:
    last = len(backbone.layers if hasattr(backbone, "layers") else backbone.stages) - 1
    if list(backbone.out_indices) != [last] or getattr(backbone, "out_after_downsample", False):
        raise BenchError(
            f"out_indices={tuple(backbone.out_indices)}: a sparse backbone has no map but the "
            f"last; leave out_indices and out_after_downsample as they are"
        )


def _check_cnn(backbone: nn.Module) -> None:
    stages = backbone.res_layers if hasattr(backbone, "res_layers") else backbone.stages
    if max(backbone.out_indices) != len(stages) - 1:
        raise BenchError(
            f"out_indices={tuple(backbone.out_indices)}: the mask of a sparse CNN is that of its "
            f"last stage; let out_indices end with {len(stages) - 1}"
        )
    norms = [
        type(module).__name__
        for module in backbone.modules()
        if isinstance(module, nn.GroupNorm | nn.LayerNorm)
    ]
    if norms:
        raise BenchError(
            f"{norms[0]} computes its statistics over hidden positions too; a sparse CNN needs "
            f"batch norm: norm_cfg=dict(type='BN')"
        )


def _encoders() -> dict[type[nn.Module], Encoder]:
    return {
        SwinTransformer: visible_swin,
        VisionTransformer: visible_vit,
        ResNet: visible_cnn,
        PlainCNN: visible_cnn,
    }
