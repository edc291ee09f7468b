"""Cross-entropy on masked pixels, for colours as classes (SimMIM, section 3.4).

Paper: https://arxiv.org/abs/2111.09886
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from simmim_bench.losses.base import MaskedLoss
from simmim_bench.registry import MODELS


@MODELS.register_module()
class MaskedCrossEntropyLoss(MaskedLoss):
    """Mean cross-entropy over masked positions and their fields.

    A field is one choice among classes: bins have three fields a position (R, G, B), clusters
    one. The prediction's channels are the logits of field 0, then of field 1, and so on.
    """

    expected = "prediction (B, fields * classes, H, W), Long target (B, fields, H, W), (B, H, W)"

    def errors(self, pred: Tensor, target: Tensor) -> Tensor:
        """See ``MaskedLoss.errors``; the target is Long, (B, fields, h, w), class indices."""
        fields = target.shape[1]
        same_grid = target.shape == (pred.shape[0], fields, *pred.shape[2:])
        if not same_grid or pred.shape[1] % fields:
            raise self.disagreement(pred, target)
        if target.dtype != torch.int64:
            raise ValueError(
                f"target is {target.dtype}, not class indices (torch.int64); use ColourBins or "
                f"ColourClusters as target, or another loss"
            )
        logits = pred.unflatten(1, (fields, -1)).transpose(1, 2)  # (B, classes, fields, h, w)
        return nn.functional.cross_entropy(logits, target, reduction="none")
