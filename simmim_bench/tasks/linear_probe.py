"""Linear probe: one linear layer on frozen features, batch-normalised without parameters.

As MAE's (https://arxiv.org/abs/2111.06377, appendix A.1), after https://arxiv.org/abs/1505.05192:
https://github.com/facebookresearch/mae/blob/main/main_linprobe.py.
"""

from __future__ import annotations

from typing import Any

from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen import FrozenBackbone

EPS = 1e-6


@MODELS.register_module()
class LinearProbe(FrozenBackbone, ImageClassifier):
    """``mmpretrain.ImageClassifier`` whose backbone is not trained.

    ``out_indices`` of the backbone select the layer that is probed.

    Args:
        kwargs: See ``mmpretrain.ImageClassifier``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.freeze()


@MODELS.register_module()
class LinearProbeHead(LinearClsHead):
    """``mmpretrain.LinearClsHead`` on features of zero mean and unit variance.

    Args:
        in_channels: Channels of the features, (B, in_channels).
        kwargs: See ``mmpretrain.LinearClsHead``.
    """

    uses_batch_norm = True

    def __init__(self, *, in_channels: int, **kwargs: Any) -> None:
        super().__init__(in_channels=in_channels, **kwargs)
        self.norm = nn.BatchNorm1d(in_channels, affine=False, eps=EPS)

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Normalised features of the last output, (B, in_channels)."""
        normalised: Tensor = self.norm(super().pre_logits(feats))
        return normalised
