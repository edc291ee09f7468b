"""Detection and instance segmentation on a frozen backbone."""

from __future__ import annotations

from typing import Any

from mmdet.models.detectors import MaskRCNN

from simmim_bench.registry import MODELS
from simmim_bench.tasks.frozen import FrozenBackbone


@MODELS.register_module()
class FrozenMaskRCNN(FrozenBackbone, MaskRCNN):
    """``mmdet.MaskRCNN`` whose backbone is not trained.

    Its features are not kept: images change in every epoch, and all levels of an image are large.

    Args:
        kwargs: See ``mmdet.MaskRCNN``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.freeze()
