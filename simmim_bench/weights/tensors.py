"""What a tensor of a state dict must be: dense, with values that the model's dtype can hold.

torch's ``load_state_dict`` copies anything of the right shape: integers into weights, and large
values of float64 into float32 as infinity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from simmim_bench.errors import BenchError

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SAVE_FLOATS = "save the weights as dense float32 tensors, as `model.state_dict()` gives them"


DIVERGED = "the run that wrote it diverged, use an earlier checkpoint"


def check_tensors(given: Mapping[str, Any], source: str) -> None:
    """Refuse what is not an ordinary dense tensor.

    Args:
        given: State dict to load.
        source: What is loaded, to start the message.

    Raises:
        BenchError: Names the first such key and how many there are.
    """
    _refuse_tensors({key: problem for key, v in given.items() if (problem := _unusual(v))}, source)


def _unusual(value: Any) -> str | None:
    if not isinstance(value, Tensor):
        return f"is a {type(value).__name__}, not a tensor"
    if value.is_nested:
        return "is a nested tensor"
    if value.is_quantized:
        return f"is quantised ({_name(value.dtype)})"
    if value.layout != torch.strided:
        return f"is sparse ({_name(value.layout)})"
    if value.is_meta:
        return "is on the meta device, so it has no values"
    return _repeats(value)


def _repeats(value: Tensor) -> str | None:
    """A file of a few bytes can claim any shape by a view with a stride of 0."""
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"is a view of shape {tuple(value.shape)} that repeats fewer values"
    return None


def not_finite(given: Mapping[str, Tensor]) -> list[str]:
    """Keys of floating-point tensors with NaN or infinity; ``check_values`` refuses others."""
    return [key for key, v in given.items() if v.dtype in FLOATS and not v.isfinite().all()]


def check_values(expected: Mapping[str, Tensor], given: Mapping[str, Tensor], source: str) -> None:
    """Refuse tensors whose values do not survive the change to the model's dtype.

    Weights are floating point; buffers that are integer or bool in the model stay so.

    Args:
        expected: State dict of the model.
        given: State dict to load, of dense tensors (``check_tensors``).
        source: What is loaded, to start the message.

    Raises:
        BenchError: Names the first such key and how many there are.
    """
    both = {key: (value, given[key]) for key, value in expected.items() if key in given}
    problems = {key: problem for key, pair in both.items() if (problem := _altered(*pair))}
    _refuse_tensors(problems, source)


def _altered(expected: Tensor, given: Tensor) -> str | None:
    if expected.is_floating_point():
        if given.dtype not in FLOATS:
            return f"has dtype {_name(given.dtype)}, expected {_name(expected.dtype)}"
        lost = given.isfinite() & ~given.to(expected.dtype).isfinite()
        if given.dtype != expected.dtype and lost.any():
            return f"has values that {_name(expected.dtype)} cannot hold"
    elif given.is_floating_point() or given.is_complex():
        return f"has dtype {_name(given.dtype)}, expected {_name(expected.dtype)}"
    elif given.dtype != expected.dtype and not given.to(expected.dtype).eq(given).all():
        return f"has values that {_name(expected.dtype)} cannot hold"
    return None


def _name(kind: torch.dtype | torch.layout) -> str:
    return str(kind).removeprefix("torch.")


def _refuse_tensors(problems: Mapping[str, str], source: str) -> None:
    for key, problem in problems.items():
        more = f" (and {len(problems) - 1} more such tensors)" if len(problems) > 1 else ""
        raise BenchError(f"{source}: {key} {problem}{more}; {SAVE_FLOATS}")
