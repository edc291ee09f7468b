"""What ``config.json`` of transformers says about a backbone, and the same written from ours.

Only the fields of ``DEFAULTS`` are read, as plain values of known types. Those that the weights do
not show (heads, image size, eps, windows) complete our config; then all of them must agree with it,
so that a model whose numerics our backbone does not have is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture import (
    IMAGE_NOTE,
    RESNET_BLOCKS,
    Architecture,
)

FILE = "config.json"
Values = dict[str, Any]
OUR_EPS = {"vit": 1e-6, "plain_vit": 1e-6, "convnext": 1e-6, "swin": 1e-5, "swinv2": 1e-5}
"""Epsilon of the norms of our classes, by default."""
_IMAGE = {"image_size": 224, "num_channels": 3, "hidden_act": "gelu"}
_SWIN = {
    **_IMAGE,
    "patch_size": 4,
    "embed_dim": 96,
    "depths": [2, 2, 6, 2],
    "num_heads": [3, 6, 12, 24],
    "window_size": 7,
    "mlp_ratio": 4.0,
    "qkv_bias": True,
    "use_absolute_embeddings": False,
    "layer_norm_eps": 1e-5,
}
_VIT = {
    **_IMAGE,
    "patch_size": 16,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
}
_CONVNEXT = {
    "num_channels": 3,
    "patch_size": 4,
    "hidden_sizes": [96, 192, 384, 768],
    "depths": [3, 3, 9, 3],
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
DEFAULTS: dict[str, Values] = {
    "swin": _SWIN,
    "swinv2": {**_SWIN, "pretrained_window_sizes": [0, 0, 0, 0]},
    "vit": {**_VIT, "qkv_bias": True},
    "beit": {
        **_VIT,
        "use_absolute_position_embeddings": False,
        "use_relative_position_bias": False,
        "use_shared_relative_position_bias": False,
    },
    "convnext": _CONVNEXT,
    "convnextv2": _CONVNEXT,
    "resnet": {
        "num_channels": 3,
        "embedding_size": 64,
        "hidden_sizes": [256, 512, 1024, 2048],
        "depths": [3, 4, 6, 3],
        "layer_type": "bottleneck",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    },
}
"""Fields that are read by ``model_type``, with the values that stand for missing ones."""
ADAPTERS = {"vit": "plain_vit", "beit": "vit", "convnextv2": "convnext"}
"""Our adapter of a ``model_type``, where it has another name."""
FREE = {"convnext": ("layer_norm_eps",), "convnextv2": ("layer_norm_eps",)}
"""Fields that may differ; a note says so."""


def described(architecture: Architecture, config: Mapping[str, Any]) -> Architecture:
    """Our architecture, completed by what ``config.json`` says.

    Raises:
        BenchError: If it is of another model, has values of another type, contradicts the weights,
            or asks for numerics that our backbone does not have.
    """
    kind = config.get("model_type")
    adapter = ADAPTERS.get(str(kind), kind)
    if kind not in DEFAULTS or adapter != architecture.adapter:
        raise BenchError(
            f"{FILE} says model_type {kind!r:.40}, but the weights are those of a "
            f"{architecture.adapter} backbone; supported: {', '.join(DEFAULTS)}; give the config "
            f"of these weights"
        )
    theirs = _fields(str(kind), config)
    completed = _COMPLETE[architecture.adapter](architecture, theirs)
    ours = config_of(completed)
    differing = [key for key in theirs if theirs[key] != ours[key]]
    for key in differing:
        if key not in FREE.get(str(kind), ()):
            raise BenchError(
                f"{FILE} says {key} {theirs[key]!r}, but this {adapter} backbone has "
                f"{ours[key]!r}; if the file is of these weights, it is of a variant that is not "
                f"supported"
            )
    notes = (
        f"{key} of the last norm is {theirs[key]:g} there, {ours[key]:g} here" for key in differing
    )
    return replace(completed, notes=(*completed.notes, *notes), theirs=theirs)


def assumed(architecture: Architecture) -> Architecture:
    """Our architecture where there is no ``config.json``: the default eps of transformers."""
    kind = model_type(architecture)
    eps = DEFAULTS[kind].get("layer_norm_eps")
    if architecture.adapter not in ("vit", "plain_vit"):
        return architecture
    note = f"eps of the norms is not in the weights: {eps:g}, the default of transformers, assumed"
    config = {**architecture.config, "norm_cfg": {"type": "LN", "eps": eps}}
    return replace(architecture, config=config, notes=(*architecture.notes, note))


def config_of(architecture: Architecture) -> Values:
    """The fields of ``config.json`` that build our backbone in transformers."""
    return _WRITE[architecture.adapter](architecture.config)


def model_type(architecture: Architecture) -> str:
    """Name of the model in transformers."""
    if architecture.adapter == "convnext":
        return "convnextv2" if architecture.config["use_grn"] else "convnext"
    return {"plain_vit": "vit", "vit": "beit"}.get(architecture.adapter, architecture.adapter)


def _fields(kind: str, config: Mapping[str, Any]) -> Values:
    found = {}
    for key, default in DEFAULTS[kind].items():
        value = config.get(key, default)
        if key in ("image_size", "patch_size") and isinstance(value, list) and len(value) == 2:
            value = value[0] if value[0] == value[1] else value  # a square as a pair
        if not _is_like(value, default):
            raise BenchError(
                f"{FILE} says {key} {value!r:.60}, expected {_expected(default)}; give the file "
                f"that transformers wrote"
            )
        found[key] = value
    return found


def _is_like(value: Any, default: Any) -> bool:
    if isinstance(default, list):
        return isinstance(value, list) and 0 < len(value) <= 8 and all(map(_is_size, value))
    if isinstance(default, bool | str):
        return isinstance(value, type(default))
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 100
    return _is_size(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**16


def _expected(default: Any) -> str:
    if isinstance(default, list):
        return "a list of integers"
    names = {bool: "true or false", str: "a word", float: "a number", int: "an integer"}
    return names[type(default)]


def _complete_swin(architecture: Architecture, theirs: Values) -> Architecture:
    config, image = architecture.config, theirs["image_size"]
    patch, windows = config["patch_size"], windows_of(config)
    maps = [image / (patch * 2**stage) for stage in range(len(windows))]
    if all(side >= window for side, window in zip(maps, windows, strict=True)):
        return replace(architecture, config={**config, "img_size": image}, notes=())
    note = f"image size {config['img_size']} assumed: {image} of {FILE} is less than its windows"
    theirs["image_size"] = config["img_size"]
    return replace(architecture, notes=(note,))


def windows_of(config: Mapping[str, Any]) -> list[int]:
    """Window of each stage of a Swin or Swin V2."""
    stages, window = len(config["arch"]["depths"]), config["window_size"]
    given = config.get("stage_cfgs", [{"window_size": window}] * stages)
    return list(window) if isinstance(window, list) else [stage["window_size"] for stage in given]


def _complete_swinv2(architecture: Architecture, theirs: Values) -> Architecture:
    config, image = dict(architecture.config), theirs["image_size"]
    multiple = config["patch_size"] * 2 ** (len(config["arch"]["depths"]) - 1)
    if not image or image % multiple:
        raise BenchError(
            f"{FILE} says image_size {image}, expected a multiple of {multiple} for this Swin V2"
        )
    config["img_size"] = image
    config["window_size"] = _fitted_windows(config, theirs["window_size"])
    if any(theirs["pretrained_window_sizes"]):
        config["pretrained_window_sizes"] = theirs["pretrained_window_sizes"]
    return replace(architecture, config=config, notes=())


def _fitted_windows(config: Mapping[str, Any], window: int) -> list[int]:
    """Windows of the stages, at most as large as their maps."""
    stages = range(len(config["arch"]["depths"]))
    return [min(window, config["img_size"] // (config["patch_size"] * 2**i)) for i in stages]


def _complete_vit(architecture: Architecture, theirs: Values) -> Architecture:
    config, eps = dict(architecture.config), theirs["layer_norm_eps"]
    width, heads = config["arch"]["embed_dims"], theirs["num_attention_heads"]
    if not heads or width % heads:
        raise BenchError(
            f"{FILE} says num_attention_heads {heads}, expected a divisor of the width {width}"
        )
    config["arch"] = {**config["arch"], "num_heads": heads}
    if eps != OUR_EPS[architecture.adapter]:
        config["norm_cfg"] = {"type": "LN", "eps": eps}
    if any(note.startswith("image size") for note in architecture.notes):
        config["img_size"] = theirs["image_size"]
    return replace(architecture, config=config, notes=())


def _complete_others(architecture: Architecture, theirs: Values) -> Architecture:  # noqa: ARG001
    notes = tuple(note for note in architecture.notes if note == IMAGE_NOTE)
    return replace(architecture, notes=notes)


def _write_swin(config: Mapping[str, Any]) -> Values:
    arch = config["arch"]
    return {
        "image_size": config["img_size"],
        "num_channels": config["in_channels"],
        "hidden_act": "gelu",
        "patch_size": config["patch_size"],
        "embed_dim": arch["embed_dims"],
        "depths": list(arch["depths"]),
        "num_heads": list(arch["num_heads"]),
        "window_size": max(windows_of(config)),
        "mlp_ratio": 4.0,
        "qkv_bias": True,
        "use_absolute_embeddings": config["use_abs_pos_embed"],
        "layer_norm_eps": OUR_EPS["swin"],
    }


def _write_swinv2(config: Mapping[str, Any]) -> Values:
    none = [0] * len(config["arch"]["depths"])
    scaling = list(config.get("pretrained_window_sizes", none))
    return {**_write_swin(config), "pretrained_window_sizes": scaling}


def _write_any_vit(config: Mapping[str, Any]) -> Values:
    arch = config["arch"]
    return {
        "image_size": config["img_size"],
        "num_channels": config["in_channels"],
        "hidden_act": "gelu",
        "patch_size": config["patch_size"],
        "hidden_size": arch["embed_dims"],
        "num_hidden_layers": arch["num_layers"],
        "num_attention_heads": arch["num_heads"],
        "intermediate_size": arch["feedforward_channels"],
        "layer_norm_eps": config.get("norm_cfg", {}).get("eps", OUR_EPS["vit"]),
    }


def _write_vit(config: Mapping[str, Any]) -> Values:
    return {**_write_any_vit(config), "qkv_bias": config["qkv_bias"]}


def _write_beit(config: Mapping[str, Any]) -> Values:
    return {
        **_write_any_vit(config),
        "use_absolute_position_embeddings": config["use_abs_pos_emb"],
        "use_relative_position_bias": config["use_rel_pos_bias"],
        "use_shared_relative_position_bias": config["use_shared_rel_pos_bias"],
    }


def _write_convnext(config: Mapping[str, Any]) -> Values:
    return {
        "num_channels": config["in_channels"],
        "patch_size": config["stem_patch_size"],
        "hidden_sizes": list(config["arch"]["channels"]),
        "depths": list(config["arch"]["depths"]),
        "hidden_act": "gelu",
        "layer_norm_eps": OUR_EPS["convnext"],
    }


def _write_resnet(config: Mapping[str, Any]) -> Values:
    bottleneck, depths = RESNET_BLOCKS[config["depth"]]
    widths = [config["base_channels"] * 2**stage for stage in range(len(depths))]
    return {
        "num_channels": config["in_channels"],
        "embedding_size": config["stem_channels"],
        "hidden_sizes": [4 * width for width in widths] if bottleneck else widths,
        "depths": list(depths),
        "layer_type": "bottleneck" if bottleneck else "basic",
        "hidden_act": "relu",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }


_COMPLETE: dict[str, Callable[[Architecture, Values], Architecture]] = {
    "swin": _complete_swin,
    "swinv2": _complete_swinv2,
    "vit": _complete_vit,
    "plain_vit": _complete_vit,
    "convnext": _complete_others,
    "resnet": _complete_others,
}
_WRITE: dict[str, Callable[[Mapping[str, Any]], Values]] = {
    "swin": _write_swin,
    "swinv2": _write_swinv2,
    "vit": _write_beit,
    "plain_vit": _write_vit,
    "convnext": _write_convnext,
    "resnet": _write_resnet,
}
