"""Run a backbone on its visible tokens only, without changing the backbone.

Within the context, ``backbone(images)`` drops masked tokens after the position embedding, and its
last feature map has the mask token in their place: MAE (https://arxiv.org/abs/2111.06377) for the
plain ViT, GreenMIM (https://arxiv.org/abs/2205.13515) for Swin, SparK
(https://arxiv.org/abs/2301.03580) for CNNs, which keep the dense computation and see zeros where
pixels are masked. Parameters and keys are the backbone's, so the weights load like any others. An
adapter states how in ``visible_encoder``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import Tensor, nn

from simmim_bench.backbones.base import VisibleEncoder, adapter_for, adapters
from simmim_bench.backbones.mask_hooks import check_bool
from simmim_bench.errors import BenchError


def visible_only(
    backbone: nn.Module, mask: Tensor, mask_token: Tensor
) -> AbstractContextManager[None]:
    """Context in which ``backbone(images)`` computes visible tokens only.

    Args:
        backbone: One that ``check_sparse`` accepts.
        mask: Bool, (B, H / token_size, W / token_size); True = masked.
        mask_token: (1, 1, channels of the last feature map).

    Raises:
        BenchError: If backbones of this class cannot.
        ValueError: If the mask is not bool, masks a whole image, or does not fit.
    """
    check_bool(mask)
    if bool(mask.flatten(1).all(dim=1).any()):
        raise ValueError("an image has no visible token; use a mask_ratio below 1")
    return _encoder(backbone).run(adapter_for(backbone), mask, mask_token)


def check_sparse(backbone: nn.Module) -> None:
    """Refuse a backbone that cannot run on visible tokens only.

    Raises:
        BenchError: If its class cannot (a subclass may attend differently), or an option does not
            fit.
    """
    _encoder(backbone).check(adapter_for(backbone))
    if any(getattr(module, "with_cp", False) for module in backbone.modules()):
        raise BenchError(
            "with_cp=True computes blocks again when the mask is gone; a sparse backbone needs "
            "with_cp=False"
        )


def _encoder(backbone: nn.Module) -> VisibleEncoder:
    adapter = adapter_for(backbone)
    if adapter.visible_encoder is None or type(backbone) is not adapter.backbone_type:
        kinds = [known.backbone_type for known in adapters() if known.visible_encoder]
        names = (f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds)
        raise BenchError(
            f"{type(backbone).__name__} cannot encode visible tokens only; use one of "
            f"{', '.join(names)}"
        )
    return adapter.visible_encoder
