"""Torchvision operators as a replacement for mmcv's compiled operators.

mmdet imports ``mmcv._ext``, which is missing from an mmcv that was built without a compiler. Mask
R-CNN uses three of its functions: ``nms``, ``roi_align_forward`` and ``roi_align_backward``;
torchvision has the same three. ``softnms``, which runs on the CPU in mmcv too, is written in NumPy.
Any other operator raises an error when it is called. A compiled mmcv is used if it is installed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.family import check_family
from simmim_bench.roi_gradient import roi_gradient
from simmim_bench.unused_imports import leave_out_unused

EXTENSION = "mmcv._ext"


def install() -> bool:
    """Replace ``mmcv._ext`` by torchvision unless mmcv has compiled operators.

    Call it before mmpretrain, mmdet or mmseg is imported; a second call does nothing.
    Language models and tracking are left out, too (``unused_imports.py``).

    Returns:
        True if torchvision's operators are used, False if mmcv's are.

    Raises:
        BenchError: If no OpenMMLab family is installed, or two are.
    """
    check_family()
    leave_out_unused()
    loaded = sys.modules.get(EXTENSION)
    if loaded is None:
        try:
            loaded = importlib.import_module(EXTENSION)
        except ImportError:
            loaded = sys.modules[EXTENSION] = _TorchvisionOps(EXTENSION)
    return isinstance(loaded, _TorchvisionOps)


class _TorchvisionOps(ModuleType):
    """Module whose other attributes are functions that raise an error."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, loader=None)  # mmengine calls find_spec
        self.nms = nms
        self.softnms = softnms
        self.roi_align_forward = roi_align_forward
        self.roi_align_backward = roi_align_backward

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_args: Any, **_kwargs: Any) -> Any:
            raise BenchError(
                f"the mmcv operator {name!r} has no replacement in torchvision; install an mmcv "
                "with compiled operators for your torch (a wheel for your CUDA, or build it with a "
                "C++ compiler)"
            )

        return missing


def nms(bboxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Non-maximum suppression.

    Args:
        bboxes: (N, 4), x1 y1 x2 y2 in pixels.
        scores: (N,).
        iou_threshold: A box that overlaps a better one by more is dropped.
        offset: 0 or 1; 1 counts a box as one pixel wider and higher.

    Returns:
        Kept indices, int64, best score first.
    """
    corners = bboxes.float()
    if offset:
        corners = torch.cat([corners[:, :2], corners[:, 2:] + offset], dim=1)
    return _torchvision().nms(corners, scores.float(), float(iou_threshold))


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    *,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS: a box that overlaps a better one keeps a part of its score.

    https://arxiv.org/abs/1704.04503; mmcv, ops/csrc/pytorch/cpu/nms.cpp.

    Args:
        boxes: (N, 4), x1 y1 x2 y2 in pixels.
        scores: (N,).
        dets: (N, 5), gets the kept boxes with their new scores, best first.
        iou_threshold: Least overlap that lowers a score, but for ``method`` 2.
        sigma: Width of the Gaussian of ``method`` 2.
        min_score: A box is dropped when its score falls below.
        method: What a score is multiplied by: 0 for nothing left, 1 for 1 - IoU, 2 for
            exp(-IoU^2 / sigma).
        offset: 0 or 1; 1 counts a box as one pixel wider and higher.

    Returns:
        Kept indices, int64, in the order of ``dets``.
    """
    low, high = boxes[:, :2].float().numpy(), boxes[:, 2:].float().numpy() + np.float32(offset)
    areas, left = (high - low).prod(axis=1), scores.float().numpy().copy()
    rest = np.arange(len(left))
    kept: list[int] = []
    while rest.size:
        best = rest[left[rest].argmax()]
        dets[len(kept)] = torch.cat([boxes[best], scores.new_tensor([left[best]])])
        kept.append(int(best))
        rest = rest[rest != best]
        sides = np.minimum(high[best], high[rest]) - np.maximum(low[best], low[rest])
        shared = sides.clip(min=0).prod(axis=1)
        overlap = shared / (areas[best] + areas[rest] - shared)
        if method == 2:
            weight = np.exp(-(overlap**2) / np.float32(sigma))
        else:
            weight = np.where(overlap >= iou_threshold, 1 - overlap if method else 0, 1)
        left[rest] *= weight
        rest = rest[left[rest] >= min_score]
    return torch.tensor(kept, dtype=torch.int64)


def roi_align_forward(
    features: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,  # noqa: ARG001  (mmcv's signature; used by max pooling alone)
    argmax_x: Tensor,  # noqa: ARG001
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the average-pooled RoI features into ``output``, (K, C, h, w).

    Args:
        features: (B, C, H, W).
        rois: (K, 5), batch index and x1 y1 x2 y2 in image pixels.

    Raises:
        BenchError: If ``pool_mode`` is not 1 (average).
    """
    if pool_mode != 1:
        raise BenchError(
            "RoIAlign with max pooling needs mmcv's compiled operators; use pool_mode='avg'"
        )
    pooled = _torchvision().roi_align(
        _computable(features),
        _computable(rois),
        spatial_scale,
        aligned_height,
        aligned_width,
        sampling_ratio,
        aligned,
    )
    output.copy_(pooled)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,  # noqa: ARG001
    argmax_x: Tensor,  # noqa: ARG001
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,  # noqa: ARG001  (the forward call refused any other)
    aligned: bool,
) -> None:
    """Add the gradient of the features to ``grad_input``, (B, C, H, W)."""
    grad_output, rois = _computable(grad_output), _computable(rois)
    gradient = None
    if grad_output.device.type == "cpu":
        gradient = roi_gradient(
            grad_output,
            rois,
            grad_input.shape,
            scale=spatial_scale,
            height=aligned_height,
            width=aligned_width,
            ratio=sampling_ratio,
            aligned=aligned,
        )
    if gradient is None:
        gradient = _torchvision()._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    grad_input.add_(gradient)


def _torchvision() -> Any:
    importlib.import_module("torchvision.ops")  # registers torch.ops.torchvision
    return torch.ops.torchvision


def _computable(tensor: Tensor) -> Tensor:
    """Float32 instead of bfloat16, which torchvision's CPU kernels do not support."""
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
