"""Translate a state dict between a layout and our names, and report every key.

Patch merging differs in more than its names: the original and timm concatenate the four neighbours
one after another, mmpretrain's ``nn.Unfold`` interleaves them channel by channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.attention import split
from simmim_bench.weights.convert.layouts import Layout, Reasons
from simmim_bench.weights.convert.plain import Dropped

BACKBONE = "backbone."
FROM_WINDOWS = ("relative_position_index", "relative_coords_table")
"""Ends of buffers that follow from a window; coordinates are those of Swin V2."""
MERGED = r".*downsample\.(reduction\.weight|norm\.weight|norm\.bias)"
MERGED_POST_NORM = r".*downsample\.reduction\.weight"
"""The same for Swin V2, which normalises what comes out of the reduction."""
NEIGHBOURS = 4
POINTWISE = r"backbone\.stages\..*\.pointwise_conv[12]\.weight"
TRANSPOSED = torch.tensor([0, 2, 1, 3])  # the original goes down columns, unfold along rows


@dataclass(frozen=True)
class Reading:
    """A file under our names.

    Args:
        state: Tensors under our names, in our channel order.
        names: The file's name of each of them.
        dropped: Keys of the file that are not converted.
        unknown: Keys of the file that no rule fits.
    """

    state: dict[str, Tensor]
    names: dict[str, str]
    dropped: tuple[Dropped, ...]
    unknown: tuple[str, ...]

    @property
    def backbone(self) -> dict[str, Tensor]:
        """The backbone's tensors under the backbone's own keys."""
        return backbone_of(self.state)


def backbone_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries under ``backbone.``, without it."""
    return {k.removeprefix(BACKBONE): v for k, v in state.items() if k.startswith(BACKBONE)}


def read_layout(state: Mapping[str, Tensor], layout: Layout, adapter: str) -> Reading:
    """Give the tensors of a file our names and channel order."""
    keys = layout.key_map(adapter)
    ours: dict[str, Tensor] = {}
    names: dict[str, str] = {}
    dropped, unknown = [], []
    for key, value in state.items():
        reason = _reason(key, layout.ignored)
        renamed = None if reason else keys.to_ours(key)
        if reason:
            dropped.append(Dropped(key, reason))
        elif renamed is None or renamed in ours:
            unknown.append(key)
        else:
            ours[renamed] = _our_order(renamed, value, layout, adapter)
            names[renamed] = key
    return Reading(ours, names, tuple(dropped), tuple(unknown))


def write_layout(
    state: Mapping[str, Tensor], layout: Layout, adapter: str
) -> tuple[dict[str, Tensor], list[Dropped]]:
    """Give tensors under our names the layout's names and channel order.

    Returns:
        The state dict, and the keys that the layout does not support.

    Raises:
        BenchError: If the layout has no rules for the adapter, or none for a key of the backbone.
    """
    if not layout.has(adapter):
        raise BenchError(
            f"--to {layout.library} does not support a {adapter} backbone, only "
            f"{', '.join(layout.backbone)}; choose another --to"
        )
    keys = layout.key_map(adapter)
    theirs: dict[str, Tensor] = {}
    dropped = []
    for key, value in state.items():
        reason = _reason(key, layout.unsupported)
        if not layout.buffers and key.endswith(FROM_WINDOWS):
            reason = "buffer that the library computes itself"
        renamed = None if reason else keys.to_theirs(key)
        if renamed is None and not reason and key.startswith(BACKBONE):
            raise BenchError(f"the layout {layout.name} has no key for {key}; choose another --to")
        if renamed is None:
            dropped.append(Dropped(key, reason or f"{layout.name} has no key for it"))
            continue
        theirs[renamed] = _their_order(key, value, layout, adapter)
    return (split(theirs) if layout.split else theirs), dropped


def _our_order(key: str, value: Tensor, layout: Layout, adapter: str) -> Tensor:
    """Channel order and shape of ours; ``key`` is our name."""
    if _merged(key, layout, adapter) and _in_four(value):
        return interleave(value)
    return value.flatten() if _stored_shape(key, layout) else value


def _their_order(key: str, value: Tensor, layout: Layout, adapter: str) -> Tensor:
    """Channel order and shape of the layout; ``key`` is our name."""
    if _merged(key, layout, adapter):
        return concatenate(value)
    if layout.linear_pointwise and value.ndim == 4 and re.fullmatch(POINTWISE, key):
        return value.flatten(1)  # (out, in, 1, 1), the same product as a linear layer's
    shape = _stored_shape(key, layout)
    return value.reshape(shape) if shape else value


def _stored_shape(key: str, layout: Layout) -> tuple[int, ...] | None:
    """Shape of a vector in the layout, if it is not stored as a vector."""
    shapes = layout.vector_shapes
    return next((shape for pattern, shape in shapes if re.fullmatch(pattern, key)), None)


def _merged(key: str, layout: Layout, adapter: str) -> bool:
    """Whether the layout orders the channels of a patch merging differently."""
    pattern = MERGED_POST_NORM if adapter == "swinv2" else MERGED
    return layout.concatenated and re.fullmatch(pattern, key) is not None


def _reason(key: str, reasons: Reasons) -> str | None:
    return next((why for pattern, why in reasons if re.fullmatch(pattern, key)), None)


def _in_four(value: Tensor) -> bool:
    return value.ndim > 0 and value.shape[-1] % 4 == 0


def interleave(value: Tensor) -> Tensor:
    """(..., 4 * C) with neighbours outermost -> channels outermost."""
    parts = value.unflatten(-1, (NEIGHBOURS, -1))[..., TRANSPOSED, :]  # (..., 4, C)
    return parts.transpose(-1, -2).flatten(-2).contiguous()


def concatenate(value: Tensor) -> Tensor:
    """(..., 4 * C) with channels outermost -> neighbours outermost."""
    parts = value.unflatten(-1, (-1, NEIGHBOURS)).transpose(-1, -2)  # (..., 4, C)
    return parts[..., TRANSPOSED, :].flatten(-2).contiguous()
