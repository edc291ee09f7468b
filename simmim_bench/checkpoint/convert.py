"""Convert state dicts between the original SimMIM's layout and ours.

Beside the names one thing differs: the original concatenates the four neighbours of a patch
merging one after another, mmpretrain's ``nn.Unfold`` interleaves them channel by channel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from simmim_bench.checkpoint.keymaps import DROPPED, KeyMap
from simmim_bench.errors import BenchError

MERGED = r".*downsample\.(reduction\.weight|norm\.weight|norm\.bias)"
MERGED_POST_NORM = r".*downsample\.reduction\.weight"
"""The same for Swin V2, which normalises what comes out of the reduction."""
NEIGHBOURS = 4
TRANSPOSED = torch.tensor([0, 2, 1, 3])  # the original goes down columns, unfold along rows


def to_ours(state: Mapping[str, Tensor], keys: KeyMap) -> dict[str, Tensor]:
    """Convert weights of the original to our keys and channel order.

    Raises:
        BenchError: If a key is in no rule of the map.
    """
    kept = {key: value for key, value in state.items() if not re.fullmatch(DROPPED, key)}
    return _convert(kept, keys.to_ours, interleave)


def to_theirs(state: Mapping[str, Tensor], keys: KeyMap) -> dict[str, Tensor]:
    """Convert our weights to the original's keys and channel order.

    The original's ``attn_mask`` buffers are not written; it computes them itself.

    Raises:
        BenchError: If a key is in no rule of the map.
    """
    return _convert(state, keys.to_theirs, concatenate)


def _convert(
    state: Mapping[str, Tensor],
    rename: Callable[[str], str | None],
    reorder: Callable[[Tensor], Tensor],
) -> dict[str, Tensor]:
    converted, unknown = {}, []
    for key, value in state.items():
        renamed = rename(key)
        if renamed is None:
            unknown.append(key)
            continue
        converted[renamed] = reorder(value) if re.fullmatch(MERGED, key) else value
    if unknown:
        raise BenchError(
            f"{len(unknown)} keys have no counterpart, for example {', '.join(unknown[:3])}; "
            f"expected a checkpoint of the same kind of backbone"
        )
    return converted


def interleave(value: Tensor) -> Tensor:
    """(..., 4 * C) with neighbours outermost -> channels outermost."""
    parts = value.unflatten(-1, (NEIGHBOURS, -1))[..., TRANSPOSED, :]  # (..., 4, C)
    return parts.transpose(-1, -2).flatten(-2).contiguous()


def concatenate(value: Tensor) -> Tensor:
    """(..., 4 * C) with channels outermost -> neighbours outermost."""
    parts = value.unflatten(-1, (-1, NEIGHBOURS)).transpose(-1, -2)  # (..., 4, C)
    return parts[..., TRANSPOSED, :].flatten(-2).contiguous()
