"""Preprocessors for images of any number of channels.

Those of the libraries normalise any number too, but their constructors take statistics of one or
three channels only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmpretrain.models import SelfSupDataPreprocessor
from mmseg.models import SegDataPreProcessor

from simmim_bench.registry import MODELS


class AnyChannels:
    """Mixin for a subclass of mmengine's ``ImgDataPreprocessor``.

    Args:
        mean: Mean of each channel, in the order of the images.
        std: Standard deviation, same.
        kwargs: Other arguments of the preprocessor.

    Raises:
        ValueError: If there are not as many means as deviations.
    """

    def __init__(self, *, mean: Sequence[float], std: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if len(mean) != len(std):
            raise ValueError(
                f"mean has {len(mean)} values and std {len(std)}; give one of each per channel"
            )
        module: Any = self
        for name, values in (("mean", mean), ("std", std)):
            scale = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
            module.register_buffer(name, scale, persistent=False)
        module._enable_normalize = True


@MODELS.register_module()
class SelfSupBandPreprocessor(AnyChannels, SelfSupDataPreprocessor):
    """mmpretrain's preprocessor of pretraining, for any number of channels."""


@MODELS.register_module()
class DetBandPreprocessor(AnyChannels, DetDataPreprocessor):
    """mmdet's preprocessor, for any number of channels."""


@MODELS.register_module()
class SegBandPreprocessor(AnyChannels, SegDataPreProcessor):
    """mmseg's preprocessor, for any number of channels."""
