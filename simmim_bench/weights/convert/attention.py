"""Query, key and value: three tensors in some libraries, one after another in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_NAMES = (("query", "key", "value"), ("q_proj", "k_proj", "v_proj"))


def fused(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join the three where they are of one shape; others, as a missing bias of the key, stay."""
    joined = dict(state)
    for names in _NAMES:
        first = re.compile(rf"(|.*\.){names[0]}\.(weight|bias)")
        for key in state:
            match = first.fullmatch(key)
            if match is None:
                continue
            parts = [f"{match[1]}{name}.{match[2]}" for name in names]
            if not all(part in state for part in parts):
                continue
            tensors = [state[part] for part in parts]
            if len({tensor.shape for tensor in tensors}) == 1 and tensors[0].ndim > 0:
                for part in parts:
                    del joined[part]
                joined[f"{match[1]}{'+'.join(names)}.{match[2]}"] = torch.cat(tensors)
    return joined


def split(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide what ``fused`` joined."""
    parts: dict[str, Tensor] = {}
    for key, value in state.items():
        names = next((names for names in _NAMES if "+".join(names) in key), None)
        if names is None:
            parts[key] = value
            continue
        for name, part in zip(names, value.chunk(len(names)), strict=True):
            parts[key.replace("+".join(names), name)] = part.clone()
    return parts
