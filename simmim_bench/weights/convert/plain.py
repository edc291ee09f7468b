"""From the content of a file to plain state dicts: wrappers, averages, prefixes, precision, parts.

A file may hold more than one network: that of the pretraining and its momentum copy, with heads. So
several readings of it are offered, first the whole file; ``sniff`` takes the one that fits best. No
key is lost: each is in ``state``, ``dropped`` (with the reason) or ``unknown``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.attention import fused

AVERAGES = ("state_dict_ema", "model_ema", "teacher")
"""Where libraries keep averaged weights: timm and ConvNeXt, DeiT, DINO. They publish these."""
WRAPPERS = (*AVERAGES, "model", "state_dict", "module", "student")
WRAPPING = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_forward_module.", "model.", "net.")
"""Prefixes of every key: DataParallel, torch.compile, FSDP, DeepSpeed, a module of Lightning."""
COMPILED = "_orig_mod."  # also in the middle, where a part of the model was compiled
COUNTER = "n_averaged"  # of torch's AveragedModel
HALVES = (torch.float16, torch.bfloat16)
NETWORKS = (
    "backbone.",
    "backbone.vit.",
    "student_backbone.",
    "student_backbone.vit.",
    "online_backbone.",
    "online_network.",
    "online_network.encoder.",
    "base_encoder.",
    "encoder_q.",
    "encoder.",
    "student.backbone.",
    "teacher.backbone.",
)
"""Where lightly, solo-learn, MoCo, lightning-bolts and DINO keep the network that is trained."""

_COPY = "momentum copy of the network"
_HEAD = "head of its pretraining, not the backbone"
BESIDE: tuple[tuple[str, str], ...] = (
    (r"(momentum|teacher|target|ema|key)(_\w+)?\..*", _COPY),
    (r"(\w+_(momentum|ema)|encoder_k)\..*", _COPY),
    (r"online_network\.(projector|predictor)\..*", _HEAD),
    (r"(student|teacher)\.\w*head\w*\..*", _HEAD),
    (r"((student|online|dino|ibot)_)?(\w+_)?(head|projector|predictor|classifier)\w*\..*", _HEAD),
    (r"(prototypes|neck|linear|fc)(\.\w+)*", _HEAD),
    (r"(.*\.)?decoder\w*\..*", "decoder of its pretraining, not the backbone"),
    (r"(.*\.)?mask_token", "mask token of another decoder or normalisation"),
    (r"(\w+\.)*\w*(queue|criterion|loss|center|memory_bank)\w*(\..*)?", "state of its loss"),
)
"""What may stand beside such a network, with the reason why it is dropped."""


@dataclass(frozen=True)
class Dropped:
    """A key that is not converted, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class Plain:
    """One reading of a file.

    Args:
        state: State dict in at least float32, with queries, keys and values joined.
        wrapper: Top-level key that it stood under, if any.
        notes: What was done to the keys and values of the file.
        dropped: Keys beside the network.
        unknown: Keys beside the network for which there is no reason to drop them.
    """

    state: dict[str, Tensor]
    wrapper: str | None
    notes: tuple[str, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    unknown: tuple[str, ...] = ()

    def reading(self) -> dict[str, str]:
        """What was done, for the log."""
        return {"read": "; ".join(self.notes)} if self.notes else {}


def unwrap(content: Mapping[str, Any]) -> tuple[dict[str, Tensor], str | None]:
    """The state dict of a file's content, and the top-level key that it stood under.

    Raises:
        BenchError: If there is none.
    """
    whole = read_whole(content)
    return whole.state, whole.wrapper


def readings(content: Mapping[str, Any]) -> Iterator[Plain]:
    """Readings of a file: all keys, then each network in it with the rest dropped.

    Raises:
        BenchError: If there is no state dict.
    """
    whole = read_whole(content)
    whole = replace(whole, state=fused(whole.state))
    yield whole
    for prefix in NETWORKS:
        network = _network(whole, prefix)
        if network is not None:
            yield network


def read_whole(content: Mapping[str, Any]) -> Plain:
    """All keys of a file, as they are.

    Raises:
        BenchError: If there is no state dict.
    """
    wrappers = [key for key in WRAPPERS if isinstance(content.get(key), Mapping)]
    wrapper = next(iter(wrappers), None)
    inner = content[wrapper] if wrapper else content
    tensors = {key: value for key, value in inner.items() if isinstance(value, Tensor)}
    if not tensors:
        raise BenchError(
            f"no state dict found (top-level keys: {', '.join(map(str, list(content)[:4]))}); give "
            f"a file whose weights are at the top level or under 'model' or 'state_dict'"
        )
    notes = []
    if wrapper in AVERAGES and len(wrappers) > 1:
        notes.append(f"averaged weights, {wrapper}, are taken; not {', '.join(wrappers[1:])}")
    dropped: tuple[Dropped, ...] = ()
    if COUNTER in tensors:
        del tensors[COUNTER]
        dropped = (Dropped(COUNTER, "counter of averaging, not a weight"),)
    tensors, removed = _without_wrapping(tensors)
    notes += [f"prefix {prefix} removed" for prefix in removed]
    halves = sum(value.dtype in HALVES for value in tensors.values())
    if halves:
        notes.append(f"{halves} tensors in half precision are converted to float32")
        tensors = {k: v.float() if v.dtype in HALVES else v for k, v in tensors.items()}
    return Plain(tensors, wrapper, tuple(notes), dropped)


def _without_wrapping(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The same under shorter keys, and the prefixes that all keys had."""
    removed = []
    while found := next((p for p in WRAPPING if all(key.startswith(p) for key in state)), None):
        removed.append(found)
        state = {key.removeprefix(found): value for key, value in state.items()}
    shorter = {key.replace(COMPILED, ""): value for key, value in state.items()}
    if shorter.keys() != state.keys() and len(shorter) == len(state):
        return shorter, [*removed, COMPILED]
    return state, removed


def _network(whole: Plain, prefix: str) -> Plain | None:
    """The network under ``prefix``; None if there is none, or nothing else."""
    state = {k.removeprefix(prefix): v for k, v in whole.state.items() if k.startswith(prefix)}
    if not state:
        return None
    dropped, unknown = list(whole.dropped), []
    for key in whole.state:
        if key.startswith(prefix):
            continue
        reason = next((why for pattern, why in BESIDE if re.fullmatch(pattern, key)), None)
        if reason:
            dropped.append(Dropped(key, reason))
        else:
            unknown.append(key)
    notes = (*whole.notes, f"the network under {prefix} is taken")
    return replace(whole, state=state, notes=notes, dropped=tuple(dropped), unknown=tuple(unknown))
