"""A backbone that is only looked at: no gradients, no dropped paths, no running statistics."""

from __future__ import annotations

from typing import Self

from torch import nn


class FrozenBackbone(nn.Module):
    """Mix-in, first among the bases, for models whose ``backbone`` stays as it was pretrained."""

    backbone: nn.Module

    def freeze(self) -> None:
        """Take the backbone's parameters from the optimizer; called once it is there."""
        self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of everything but the backbone, which stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self
