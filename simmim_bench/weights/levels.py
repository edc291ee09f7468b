"""What a recipe has to know of a backbone to be built around it: its class, options and levels."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from simmim_bench.backbones import BackboneAdapter, adapter_for
from simmim_bench.weights.card import read_card
from simmim_bench.weights.safe_config import build_from_file, check_config

SCOPE = "mmpretrain"


def read_backbone(weights: Path) -> dict[str, Any]:
    """The card of an exported backbone for ``recipe.any_backbone``; the backbone is built once.

    Its ``backbone_config`` names registered classes only. ``levels`` are those of the class, also
    for cards of earlier versions, ``any_size`` are the options with which it takes images of any
    size, and ``chooses_levels`` says whether the class has an argument ``out_indices`` and the
    adapter states ``levels``, without which nobody knows what there is to choose from.

    Args:
        weights: ``backbone.pth``, with its card beside it.

    Raises:
        BenchError: As ``read_card`` and ``build_from_file``.
    """
    card, path = read_card(weights), weights.with_suffix(".json")
    stated: dict[str, Any] = {"source": path, "entry": "backbone_config", "scope": SCOPE}
    config = check_config(card["backbone_config"], **stated)
    adapter = adapter_for(build_from_file(config, **stated))
    arguments = inspect.signature(type(adapter.backbone).__init__).parameters.values()
    chooses = any(each.name == "out_indices" or each.kind == each.VAR_KEYWORD for each in arguments)
    return {
        **card,
        "backbone_config": config,
        "levels": {
            "strides": list(adapter.levels.strides),
            "channels": list(adapter.levels.channels),
        },
        "any_size": adapter.any_size_options(),
        "chooses_levels": chooses and type(adapter).levels is not BackboneAdapter.levels,
    }
