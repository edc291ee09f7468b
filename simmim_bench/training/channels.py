"""Necks and heads must take the channels that the backbone returns.

A library finds the difference in a convolution of the first iteration, and says neither key nor
value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from simmim_bench.backbones import adapter_for
from simmim_bench.backbones.base import adapter_name
from simmim_bench.errors import BenchError

POOLING = (None, "GlobalAveragePooling")
"""Necks of a classifier behind which the channels are those of the backbone."""
SEGMENTATION_HEADS = ("decode_head", "auxiliary_head")


def check_channels(config: Any, model: nn.Module) -> None:
    """Compare ``in_channels`` of a neck, or of heads without one, with the backbone's levels.

    Args:
        config: ``model`` of a config; anything but a dict is not checked.
        model: The model that was built from it; one without a known backbone is not checked.

    Raises:
        BenchError: Names the key, its value and what the backbone returns.
    """
    backbone = getattr(model, "backbone", None)
    if not isinstance(config, Mapping) or adapter_name(type(backbone)) is None:
        return
    levels = adapter_for(backbone).feature_spec
    strides = ", ".join(map(str, levels.strides))
    for key, found, expected in _stated(config, list(levels.channels)):
        if found != expected:
            raise BenchError(
                f"config key 'model.{key}' must be {expected}, got {found}: the backbone returns "
                f"maps of {', '.join(map(str, levels.channels))} channels at strides {strides}; "
                f"correct the key, or the backbone's out_indices"
            )


def _stated(config: Mapping[str, Any], channels: list[int]) -> Iterator[tuple[str, Any, Any]]:
    """Keys with what they say and what they must say."""
    neck = config.get("neck")
    if isinstance(neck, Mapping) and "in_channels" in neck:
        yield "neck.in_channels", _plain(neck["in_channels"]), _like(neck["in_channels"], channels)
        return
    if _kind(neck) in POOLING and "in_channels" in (head := config.get("head") or {}):
        yield "head.in_channels", head["in_channels"], channels[-1]
    for key in SEGMENTATION_HEADS if neck is None else ():
        head = config.get(key)
        if isinstance(head, Mapping) and "in_channels" in head and "in_index" in head:
            index, stated = head["in_index"], head["in_channels"]
            chosen = [index] if isinstance(index, int) else list(index)
            if any(not -len(channels) <= one < len(channels) for one in chosen):
                last = len(channels) - 1
                yield f"{key}.in_index", _plain(index), f"from 0 to {last}"
            else:
                yield (
                    f"{key}.in_channels",
                    _plain(stated),
                    _like(stated, [channels[i] for i in chosen]),
                )


def _kind(part: Any) -> str | None:
    return str(part.get("type")).rpartition(".")[2] if isinstance(part, Mapping) else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else list(value)


def _like(value: Any, channels: list[int]) -> Any:
    """Channels as one number, where the key has one, or a list."""
    return channels[-1] if isinstance(value, int) else channels
