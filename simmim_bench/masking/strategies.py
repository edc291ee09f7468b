"""Masking strategies by the name that configs use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simmim_bench.masking.base import MaskStrategy
from simmim_bench.masking.blockwise import BlockwiseMask
from simmim_bench.masking.edge import EdgeMask
from simmim_bench.masking.grid import GridMask
from simmim_bench.masking.hierarchical import HierarchicalMask
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.masking.semantic import SemanticMask
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
    "edge": EdgeMask,
    "semantic": SemanticMask,
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


def for_evaluation(step: Mapping[str, Any]) -> dict[str, Any]:
    """A ``GenerateMask`` step as images are painted under it.

    Without a schedule; random patches where the strategy reads the sample, so that images
    without a map can be painted, and models that were masked otherwise under the same masks.
    """
    kept = {key: value for key, value in step.items() if key != "schedule"}
    strategy = STRATEGIES.get(step.get("strategy", "random"))
    if strategy is not None and strategy.reads:
        names = ("type", "mask_patch_size", "mask_ratio", "token_size", "seed")
        kept = {key: value for key, value in kept.items() if key in names}
    return kept
