"""What a file of ours says about its backbone that the weights do not show.

An exported backbone repeats its card (``weights/seal.py``), a training checkpoint its config. Both
are data of others here: only numbers of a known meaning are taken from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.io import parse_json
from simmim_bench.weights.convert.architecture import Architecture
from simmim_bench.weights.files import stored_config
from simmim_bench.weights.seal import STORED


def own_config(content: Mapping[str, Any]) -> dict[str, Any]:
    """The backbone's config that a file contains; empty if there is none."""
    text = getattr(content, STORED, None)
    if isinstance(text, str):
        try:
            card = parse_json(text)
        except ValueError:
            return {}
        config = card.get("backbone_config") if isinstance(card, dict) else None
    else:
        try:
            model = (stored_config(content) or {}).get("model")
        except BenchError:  # of another library, with more than plain values
            return {}
        config = model.get("backbone") if isinstance(model, dict) else None
    return config if isinstance(config, dict) else {}


def as_stored(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a training checkpoint in which ``own_config`` finds this backbone's config."""
    return {"cfg": f"model = {{'backbone': {dict(config)!r}}}"}


def described(architecture: Architecture, said: Mapping[str, Any]) -> Architecture:
    """The architecture with the heads, eps, image size and windows that are said."""
    config = dict(architecture.config)
    if said.get("type") != config["type"]:
        return architecture
    arch, norm = said.get("arch"), said.get("norm_cfg")
    known = []
    if isinstance(arch, dict) and any(note.startswith("heads") for note in architecture.notes):
        heads = arch.get("num_heads")
        if _is_size(heads) and config["arch"]["embed_dims"] % heads == 0:
            config["arch"] = {**config["arch"], "num_heads": heads}
            known.append("heads")
    if isinstance(norm, dict) and norm.keys() == {"type", "eps"} and norm["type"] in ("LN", "LN2d"):
        eps = norm["eps"]
        if isinstance(eps, float) and 0 < eps < 1:
            config["norm_cfg"] = dict(norm)
    # with pad_small_map our image may be smaller than a window; other libraries do not pad
    smallest = config["img_size"] if architecture.adapter == "swin" else 1
    takes_size = architecture.adapter in ("swin", "vit", "plain_vit")
    if takes_size and _is_size(said.get("img_size")) and said["img_size"] >= smallest:
        config["img_size"] = said["img_size"]
        known.append("image size")
    scaling = said.get("pretrained_window_sizes")
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
