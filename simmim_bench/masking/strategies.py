"""Masking strategies by the name that configs use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from simmim_bench.masking.base import MaskStrategy
from simmim_bench.plugins import with_hint
from simmim_bench.registry import MASKS, unknown_name


def strategies() -> Mapping[str, type[MaskStrategy]]:
    """All registered strategies by name: those of this package and those of the user."""
    MASKS.import_from_location()
    return MASKS.module_dict


def build_strategy(name: str, **options: Any) -> MaskStrategy:
    """Make the strategy ``name`` with ``options``.

    Raises:
        ValueError: If there is no such strategy, or it does not accept the options.
    """
    known = strategies()
    if name not in known:
        what = unknown_name(name, sorted(known), "masking strategy")
        raise ValueError(with_hint(what))
    try:
        return known[name](**options)
    except TypeError as error:
        taken = [
            each.name
            for kind in known[name].__mro__
            if "__init__" in vars(kind)
            for each in inspect.signature(kind).parameters.values()
            if each.kind is not each.VAR_KEYWORD
        ]
        raise ValueError(
            f"masking strategy {name!r}: {error}; it takes {', '.join(dict.fromkeys(taken))}"
        ) from error


def for_evaluation(step: Mapping[str, Any]) -> dict[str, Any]:
    """The ``GenerateMask`` step under which images are reconstructed for evaluation.

    It has no schedule. A strategy that reads the sample is replaced by random patches, so that
    images without a label map can be used and all models are compared under the same masks.
    """
    kept = {key: value for key, value in step.items() if key not in ("schedule", "_scope_")}
    strategy = strategies().get(step.get("strategy", "random"))
    if strategy is not None and strategy.reads:
        names = ("type", "mask_patch_size", "mask_ratio", "token_size", "seed")
        kept = {key: value for key, value in kept.items() if key in names}
    return kept
