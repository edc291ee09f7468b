"""What a backbone needs to be masked, exported and used by the tasks, and where it is looked up.

An adapter wraps the very class that fine-tuning uses. It adds no parameter and retypes no
``forward``, so the keys of a pretrained backbone are those of the downstream backbone.

A new backbone is one new file with an adapter under ``@register_adapter``: in this folder, whose
files are found by themselves, or in a module of your own (docs/own-method.md).
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import Tensor, nn

from simmim_bench.errors import BenchError
from simmim_bench.plugins import FLAG, load_plugins, note

COLOURS = 3  # red, green and blue
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

    def at(self, indices: Sequence[int]) -> FeatureSpec:
        """Some of the levels."""
        return FeatureSpec(
            tuple(self.strides[i] for i in indices), tuple(self.channels[i] for i in indices)
        )


@dataclass(frozen=True)
class Resized:
    """A parameter that was resized to fit: its key, old shape and new shape."""

    key: str
    old: tuple[int, ...]
    new: tuple[int, ...]


@dataclass(frozen=True)
class VisibleEncoder:
    """How a kind of backbone computes visible tokens only; see ``sparse``.

    Args:
        check: Raises ``BenchError`` if an option of the backbone does not allow it.
        run: Context in which the backbone drops masked tokens. Takes the adapter, the mask (Bool,
            (B, H / token_size, W / token_size)) and the mask token (1, 1, channels of the last
            level).
        blocks_need_mask: Whether blocks depend on the mask, so that they cannot be computed again
            in the backward pass (``--recompute``).
    """

    check: Callable[[BackboneAdapter], None]
    run: Callable[[BackboneAdapter, Tensor, Tensor], AbstractContextManager[None]]
    blocks_need_mask: bool = True


class BackboneAdapter(ABC):
    """Contract between a backbone and everything else.

    Args:
        backbone: Instance of ``backbone_type``; the adapter keeps a reference only.
    """

    name: ClassVar[str]
    """Short name, written into exported backbones."""

    backbone_type: ClassVar[type[nn.Module]]
    """The class this adapter serves, with its subclasses."""

    recomputed: ClassVar[tuple[str, ...]] = (BUFFERS,)
    """Patterns of buffers that follow from sizes: never loaded, always the model's own."""

    visible_encoder: ClassVar[VisibleEncoder | None] = None
    """How ``backbone_type`` itself (not a subclass) computes visible tokens only, if it can."""

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone: Any = backbone

    @property
    @abstractmethod
    def feature_spec(self) -> FeatureSpec:
        """Strides and channels of the levels that ``backbone(images)`` returns."""

    def any_size_options(self) -> dict[str, Any]:
        """Options without which the backbone takes images of one size only; JSON types."""
        return {}

    @property
    def in_channels(self) -> int:
        """Channels of the images, as ``architecture`` states them."""
        return int(self.architecture().get("in_channels", COLOURS))

    @property
    def levels(self) -> FeatureSpec:
        """The same of all levels that its class can return, whatever ``out_indices`` says."""
        return self.feature_spec

    @property
    @abstractmethod
    def token_size(self) -> int:
        """Side, in pixels, of the token that a mask entry stands for."""

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

    def stages(self) -> list[Sequence[nn.Module]]:
        """Blocks of each stage, first to last; empty if they are not known."""
        return []

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


_REGISTERED: dict[type[nn.Module], type[BackboneAdapter]] = {}
_Adapter = TypeVar("_Adapter", bound=type[BackboneAdapter])


def register_adapter(adapter: _Adapter) -> _Adapter:
    """Class decorator: let ``adapter`` serve its ``backbone_type``.

    Raises:
        BenchError: If another adapter serves that class or has that name.
    """
    for known in _REGISTERED.values():
        if _identity(known) == _identity(adapter):
            continue  # its module was loaded again
        if known.backbone_type is adapter.backbone_type or known.name == adapter.name:
            raise BenchError(
                f"{adapter.__name__} ({adapter.name!r}, for {adapter.backbone_type.__name__}) "
                f"conflicts with {known.__name__} ({known.name!r}, for "
                f"{known.backbone_type.__name__}); use another name and backbone_type"
            )
    _REGISTERED[adapter.backbone_type] = adapter
    if not adapter.__module__.startswith(f"{__package__}."):
        note(adapter.__module__)
    return adapter


def _identity(adapter: type[BackboneAdapter]) -> tuple[str, str]:
    return adapter.__module__, adapter.__qualname__


@cache
def _import_package() -> None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")


def adapters() -> tuple[type[BackboneAdapter], ...]:
    """All registered adapters, by name."""
    _import_package()
    load_plugins()
    return tuple(sorted(_REGISTERED.values(), key=lambda adapter: adapter.name))


def adapter_for(backbone: nn.Module) -> BackboneAdapter:
    """Wrap ``backbone`` in the adapter of its class, or of the nearest base class that has one.

    Raises:
        BenchError: If no adapter serves the class; the message lists the known classes.
    """
    known = adapters()
    for kind in type(backbone).__mro__:
        if kind in _REGISTERED:
            return _REGISTERED[kind](backbone)
    raise BenchError(
        f"no adapter for backbone {type(backbone).__name__}; supported are "
        f"{', '.join(adapter.backbone_type.__name__ for adapter in known)} and their subclasses; "
        f"add one with @register_adapter (docs/own-method.md), and name its module with {FLAG}"
    )


def adapter_name(kind: Any) -> str | None:
    """Name of the adapter that would wrap objects of a class; None if there is none."""
    adapters()
    found = (_REGISTERED[each] for each in getattr(kind, "__mro__", ()) if each in _REGISTERED)
    return next((adapter.name for adapter in found), None)


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Whether the whole of ``key`` matches one of the regular expressions."""
    return any(re.fullmatch(pattern, key) for pattern in patterns)
