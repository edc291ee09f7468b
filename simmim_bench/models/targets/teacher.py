"""Features of a frozen teacher.

Whitened as in Feature Distillation (https://arxiv.org/abs/2205.14141, section 3.1): layer norm
over the channels without scale and offset, so that losses of different teachers compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simmim_bench.models.frozen import (
    HoldsFrozenNetwork,
    last_channels_and_stride,
    maps_of,
    open_network,
)
from simmim_bench.models.targets.base import Target, grid_of
from simmim_bench.registry import MODELS


@MODELS.register_module()
class TeacherFeatures(HoldsFrozenNetwork, Target):
    """Last feature map of a pretrained model, resized to the target grid.

    The teacher is a frozen network (``HoldsFrozenNetwork``).

    Args:
        checkpoint: The teacher's weights, ``.pth`` or ``.safetensors``; every weight of the
            teacher must be in it.
        model: Its config; ``type`` is ``timm.NAME``, or a registered backbone such as
            ``mmpretrain.SwinTransformer``; the rest are its arguments.
        stride: Pixels per target position; None: that of the teacher.
        teacher_mean: Normalisation that the teacher was trained with, 0 to 255; None: as the
            student's images.
        teacher_std: Same.
        scale: See ``Target``; mean and std are needed with ``teacher_mean``.

    Raises:
        BenchError: If the checkpoint is missing or does not match the model to the last key,
            if timm does not know the name, or the model returns no feature map.
        ValueError: If only one of ``teacher_mean`` and ``teacher_std`` is given.
    """

    predicts_images = False

    def __init__(
        self,
        *,
        checkpoint: str,
        model: dict[str, Any],
        stride: int | None = None,
        teacher_mean: Sequence[float] | None = None,
        teacher_std: Sequence[float] | None = None,
        **scale: Any,
    ) -> None:
        super().__init__(**scale)
        if (teacher_mean is None) != (teacher_std is None):
            raise ValueError("teacher_mean and teacher_std belong together; give both or neither")
        self.own_scale = teacher_mean is not None
        for name, value in (("teacher_mean", teacher_mean), ("teacher_std", teacher_std)):
            own = None if value is None else torch.tensor(value).view(1, -1, 1, 1)
            self.register_buffer(name, own, persistent=False)
        if self.own_scale:
            self.require_scale()
        self.hold(open_network(Path(checkpoint), model, "last"))
        self.out_channels, own_stride = last_channels_and_stride(self.network, model)
        self.stride = stride or own_stride

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Whitened features, (B, C, H / stride, W / stride).

        Raises:
            ValueError: If the stride does not divide the images.
        """
        grid = grid_of(images, self.stride, "target stride")
        if self.own_scale:
            images = (self.to_pixels(images) - self.teacher_mean) / self.teacher_std
        features = maps_of(self.network, images)[-1]
        if features.shape[2:] != grid:
            features = nn.functional.interpolate(
                features, size=grid, mode="bilinear", antialias=True
            )
        channels_last = features.movedim(1, -1)
        return nn.functional.layer_norm(channels_last, channels_last.shape[-1:]).movedim(-1, 1)
