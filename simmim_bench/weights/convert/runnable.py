"""A backbone of some library, to compare its features with those of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Runnable:
    """A backbone of some library, and its last features in one common shape.

    Args:
        model: The backbone, with weights.
        channels_last: Whether its feature map is (B, H, W, C).
        run: Its last features from images; by default ``forward_features`` or the last output.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        channels_last: bool = False,
        run: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.model = model.eval() or model  # SwinTransformer.train returns None
        self.channels_last = channels_last
        self.run = run or self._last

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """(B, tokens, C), class token first where there is one."""
        output = self.run(images)
        if output.ndim == 3:
            return output
        return output.flatten(1, 2) if self.channels_last else output.flatten(2).transpose(1, 2)

    def _last(self, images: Tensor) -> Tensor:
        model: Any = self.model
        if hasattr(model, "forward_features"):
            features: Tensor = model.forward_features(images)
        else:
            features = model(images)[-1]
        return features
