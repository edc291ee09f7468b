"""Masking strategies by the name that configs use."""

from __future__ import annotations

from typing import Any

from simmim_bench.masking.base import MaskStrategy
from simmim_bench.masking.blockwise import BlockwiseMask
from simmim_bench.masking.grid import GridMask
from simmim_bench.masking.hierarchical import HierarchicalMask
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.masking.square import SquareMask
from simmim_bench.masking.stripes import StripesMask
from simmim_bench.registry import unknown_name

STRATEGIES: dict[str, type[MaskStrategy]] = {
    "random": RandomPatchMask,
    "blockwise": BlockwiseMask,
    "square": SquareMask,
    "grid": GridMask,
    "stripes": StripesMask,
    "hierarchical": HierarchicalMask,
}


def build_strategy(name: str, **options: Any) -> MaskStrategy:
    """Make the strategy ``name`` with ``options``.

    Raises:
        ValueError: If there is no such strategy, or it refuses an option.
    """
    if name not in STRATEGIES:
        raise ValueError(unknown_name(name, sorted(STRATEGIES), "masking strategy"))
    try:
        return STRATEGIES[name](**options)
    except TypeError as error:
        raise ValueError(f"masking strategy {name!r}: {error}") from error
