"""What the card of one of our backbones says about it that its weights do not show.

The card's text is inside the weights file (``weights/seal.py``). It is data of others here: only
numbers of a known meaning are taken from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simmim_bench.io import parse_json
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.seal import STORED


def own_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """The backbone's config in the card that an exported file repeats; empty if there is none."""
    text = getattr(content, STORED, None)
    try:
        card = parse_json(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    config = card.get("backbone_config") if isinstance(card, dict) else None
    return config if isinstance(config, dict) else {}


def described(architecture: Architecture, card: Mapping[str, Any]) -> Architecture:
    """The architecture with the heads, eps, image size and windows of its card."""
    config = dict(architecture.config)
    if card.get("type") != config["type"]:
        return architecture
    arch, norm = card.get("arch"), card.get("norm_cfg")
    known = []
    if isinstance(arch, dict) and architecture.adapter == "plain_vit":
        heads = arch.get("num_heads")
        if _is_size(heads) and config["arch"]["embed_dims"] % heads == 0:
            config["arch"] = {**config["arch"], "num_heads": heads}
            known.append("heads")
    if isinstance(norm, dict) and norm.keys() == {"type", "eps"} and norm["type"] in ("LN", "LN2d"):
        eps = norm["eps"]
        if isinstance(eps, float) and 0 < eps < 1:
            config["norm_cfg"] = dict(norm)
    if _is_size(card.get("img_size")) and architecture.adapter in ("swin", "vit", "plain_vit"):
        config["img_size"] = card["img_size"]
        known.append("image size")
    scaling = card.get("pretrained_window_sizes")
    if (
        architecture.adapter == "swinv2"
        and isinstance(scaling, list)
        and all(map(_is_size, scaling))
    ):
        config["pretrained_window_sizes"] = scaling
    notes = tuple(note for note in architecture.notes if not note.startswith(tuple(known)))
    return replace(architecture, config=config, notes=notes)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**16
