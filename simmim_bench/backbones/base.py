"""What a backbone needs to be masked, exported, and used by downstream tasks.

An adapter wraps the very backbone class that fine-tuning uses; it adds no parameter and
retypes no ``forward``, so a pretrained backbone's keys are the downstream backbone's keys.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

BUFFERS = r"(.*\.)?relative_position_index"


@dataclass(frozen=True)
class FeatureSpec:
    """Output levels of a backbone, finest first.

    Args:
        strides: Pixels per position of each level.
        channels: Channels of each level.
    """

    strides: tuple[int, ...]
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Resized:
    """A parameter that was resized to fit: its key, old shape and new shape."""

    key: str
    old: tuple[int, ...]
    new: tuple[int, ...]


class BackboneAdapter(ABC):
    """Contract between a backbone and everything that is not the backbone.

    Args:
        backbone: Instance of ``backbone_type``; the adapter keeps a reference only.
    """

    name: ClassVar[str]
    """Short name, written into exported backbones."""

    backbone_type: ClassVar[type[nn.Module]]
    """The class this adapter serves."""

    recomputed: ClassVar[tuple[str, ...]] = (BUFFERS,)
    """Patterns of buffers that follow from sizes: never loaded, always the model's own."""

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone: Any = backbone

    @property
    @abstractmethod
    def feature_spec(self) -> FeatureSpec:
        """Strides and channels of the levels that ``backbone(images)`` returns."""

    @property
    @abstractmethod
    def token_size(self) -> int:
        """Side, in pixels, of the token that a mask entry hides."""

    @property
    @abstractmethod
    def token_channels(self) -> int:
        """Length of the mask token."""

    @abstractmethod
    def masked(self, mask: Tensor, mask_token: Tensor) -> AbstractContextManager[None]:
        """Within the context, ``backbone(images)`` sees ``mask_token`` where masked.

        Args:
            mask: Bool, (B, H / token_size, W / token_size); True = masked.
            mask_token: (1, 1, token_channels).
        """

    @abstractmethod
    def last_feature_map(self, outputs: Sequence[Tensor]) -> Tensor:
        """Deepest level, (B, C, H / stride, W / stride), of what the backbone returned."""

    @abstractmethod
    def init_weights(self, *, pretraining: bool) -> None:
        """Draw initial weights as the original SimMIM code does.

        Args:
            pretraining: True before pretraining, False before training a task from scratch
                (the original differs between the two for ViT).
        """

    @abstractmethod
    def init_mask_token(self, mask_token: Tensor) -> None:
        """Draw the initial mask token in place."""

    @property
    def num_layers(self) -> int:
        """Levels of layer-wise lr decay: stem, one per block, and all that follows."""
        return int(self.backbone.get_layer_depth("")[1])

    def layer_id(self, param_name: str) -> int:
        """Level of a backbone parameter: 0 = stem, ``num_layers - 1`` = after the blocks.

        Args:
            param_name: Name without the ``backbone.`` prefix.
        """
        return int(self.backbone.get_layer_depth(param_name)[0])

    @abstractmethod
    def no_weight_decay(self, param_name: str, *, pretraining: bool) -> bool:
        """Whether the original exempts this parameter from weight decay by name.

        Parameters with one dimension and biases are exempt anyway.

        Args:
            param_name: Name without the ``backbone.`` prefix, or ``"mask_token"``.
            pretraining: True in pretraining, False in a task. The original's lists of keywords
                match in tasks only: in pretraining it writes ``encoder.`` before each keyword,
                and no parameter's name holds ``encoder.relative_position_bias_table``.
        """

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """Values that must agree between a checkpoint and a model; JSON types only."""

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Values that may differ, since weights can be resized; JSON types only."""

    @abstractmethod
    def resize(
        self, state: Mapping[str, Tensor], sizes: Mapping[str, Any]
    ) -> tuple[dict[str, Tensor], list[Resized]]:
        """Fit the position parameters of ``state`` to this backbone.

        Args:
            state: Pretrained weights under backbone keys.
            sizes: ``sizes()`` of the backbone they were trained in.

        Returns:
            A new state dict and what was resized.
        """

    @abstractmethod
    def may_be_missing(self) -> tuple[str, ...]:
        """Patterns of keys that tasks add and pretraining does not have."""

    @abstractmethod
    def may_be_unexpected(self) -> tuple[str, ...]:
        """Patterns of keys that pretraining has and tasks drop."""


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Whether the whole of ``key`` matches one of the regular expressions."""
    return any(re.fullmatch(pattern, key) for pattern in patterns)
