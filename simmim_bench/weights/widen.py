"""Weights of images with C channels in a backbone for images with N.

Only the first convolution reads the channels: the patch embedding or the stem. Both rules keep what
it answers if all channels are equal, which is the sum of its weights over them:

- ``mean``: each channel gets the mean of the C slices, times C / N.
- ``repeat``: channel j gets slice j modulo C, divided by the number of channels with that slice. If
  N is smaller than C, slice c is added to channel c modulo N.

For N = 1 both are the sum. For multiples of C ``repeat`` equals ``adapt_input_conv`` of timm
(https://github.com/huggingface/pytorch-image-models), which for other N scales all slices by C / N.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from simmim_bench.errors import BenchError

Rule = Literal["mean", "repeat"]
RULES: tuple[Rule, ...] = get_args(Rule)
MOST_CHANNELS = 1024


def widen_kernel(weight: Tensor, channels: int, rule: Rule) -> Tensor:
    """The kernel of a convolution for another number of input channels.

    Args:
        weight: (O, C, h, w).
        channels: N.
        rule: See above.

    Returns:
        (O, N, h, w), of the same dtype.
    """
    given = weight.shape[1]
    if rule == "mean":
        share = weight.double().mean(dim=1, keepdim=True) * (given / channels)
        return share.expand(-1, channels, -1, -1).to(weight.dtype).contiguous()
    source = torch.arange(max(given, channels))
    slices = weight.double()[:, source % given]
    slices /= torch.bincount(source % given)[source % given].view(1, -1, 1, 1)
    wide = slices.new_zeros(weight.shape[0], channels, *weight.shape[2:])
    return wide.index_add_(1, source % channels, slices).to(weight.dtype)


def widen_state(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], rule: Rule, source: object
) -> dict[str, Tensor]:
    """Weights for the same backbone with another number of channels.

    Args:
        state: Weights.
        expected: State dict of the backbone that they are for.
        rule: See above.
        source: Where the weights come from, for errors.

    Raises:
        BenchError: If something else than the input channels of convolutions differs.
    """
    wide = dict(state)
    for key, value in state.items():
        if key not in expected or expected[key].shape == value.shape:
            continue
        own = expected[key].shape
        if not (
            value.ndim == len(own) == 4 and own[0] == value.shape[0] and own[2:] == value.shape[2:]
        ):
            raise BenchError(
                f"{source} cannot be used for images with another number of channels: "
                f"{key} has shape {tuple(value.shape)}, the backbone needs {tuple(own)}; use "
                f"weights of a backbone whose first layer is a convolution over all channels"
            )
        wide[key] = widen_kernel(value, own[1], rule)
    return wide


def check_channels(channels: int) -> None:
    """Refuse a number of channels that no image has.

    Raises:
        BenchError: If it is not from 1 to ``MOST_CHANNELS``.
    """
    if not 1 <= channels <= MOST_CHANNELS:
        raise BenchError(f"--channels must be from 1 to {MOST_CHANNELS}, got {channels}")


def widened(before: int, after: int, rule: Rule) -> dict[str, Any]:
    """What the card says of it."""
    return {"from": before, "to": after, "rule": rule}


def say_widened(stated: Mapping[str, Any]) -> str:
    """The entry of a card as words for the log and for deviations."""
    return f"weights of {stated['from']} channels used for {stated['to']} ({stated['rule']})"
