"""L1 on masked pixels, the loss of SimMIM (https://arxiv.org/abs/2111.09886, 3.4).

Reference: https://github.com/microsoft/SimMIM/blob/main/models/simmim.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simmim_bench.registry import MODELS

EPSILON = 1e-5  # of the original; keeps an all-visible batch at loss 0


@MODELS.register_module()
class MaskedL1Loss(nn.Module):
    """Mean absolute difference over masked pixels and their channels."""

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean L1 over masked pixels, in float32 or finer.

        Args:
            pred: Reconstruction, (B, C, H, W), normalised RGB.
            target: Image, same shape and scale as ``pred``.
            mask: Bool, (B, H, W); True = masked.

        Returns:
            Scalar; 0 when nothing is masked.

        Raises:
            ValueError: If the shapes disagree.
        """
        if pred.shape != target.shape or mask.shape != (pred.shape[0], *pred.shape[2:]):
            raise ValueError(
                f"shapes disagree: prediction {tuple(pred.shape)}, target "
                f"{tuple(target.shape)}, mask {tuple(mask.shape)}; expected (B, C, H, W) twice "
                f"and (B, H, W)"
            )
        dtype = torch.promote_types(pred.dtype, torch.float32)  # half sums would overflow
        difference = (pred.to(dtype) - target.to(dtype)).abs()  # (B, C, H, W)
        weight = mask.to(dtype)
        total = (difference * weight.unsqueeze(1)).sum()
        return total / (weight.sum() + EPSILON) / pred.shape[1]
