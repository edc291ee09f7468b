"""Boxes stay float32 in a detector that computes in bfloat16 or float16.

bfloat16 has 8 bits, so a coordinate between 512 and 1024 px is a multiple of 4 px. In mixed
precision mmdet casts RoIs, anchors, box deltas and scores to the dtype of the features.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn


def keep_boxes_in_float32(model: nn.Module) -> None:
    """Change a detector so that no box passes through bfloat16 or float16.

    RoI extractors pool float32 features at float32 RoIs, and the result has the dtype of the
    features. Deltas and scores that dense heads and box heads predict become float32, and with
    them anchors, proposals, NMS and boxes. In float32 nothing changes, to the bit.

    Args:
        model: Any model; without parts of mmdet nothing happens.
    """
    if "mmdet.models" not in sys.modules:  # which needs mmcv's operators and takes seconds
        return
    from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
    from mmdet.models.roi_heads.bbox_heads import BBoxHead
    from mmdet.models.roi_heads.roi_extractors.base_roi_extractor import BaseRoIExtractor

    for module in model.modules():
        if isinstance(module, BaseRoIExtractor):
            module.forward = partial(_pool_in_float32, module.forward)
        elif isinstance(module, BaseDenseHead | BBoxHead):
            module.register_forward_hook(_as_float32)


def _pool_in_float32(
    forward: Callable[..., Tensor], feats: Sequence[Tensor], rois: Tensor, *args: Any, **kwargs: Any
) -> Tensor:
    """Call the ``forward`` of a RoI extractor, which casts the RoIs to the dtype of the features.

    Args:
        forward: Of the extractor.
        feats: (B, C, H, W) for each level.
        rois: (K, 5), batch index and x1 y1 x2 y2 in pixels.
        args: Others of the extractor.
        kwargs: Same.

    Returns:
        (K, C, h, w), of the dtype of ``feats``.
    """
    pooled = forward(tuple(level.float() for level in feats), rois.float(), *args, **kwargs)
    return pooled.to(feats[0].dtype)


def _as_float32(module: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Forward hook: what a head predicts, a tensor or nested sequences of them, in float32."""
    if isinstance(outputs, Tensor):
        return outputs.float()
    if isinstance(outputs, (list, tuple)):
        return type(outputs)(_as_float32(module, inputs, part) for part in outputs)
    return outputs
