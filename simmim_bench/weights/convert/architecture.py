"""Tell a backbone's architecture from the shapes of its weights.

Each function takes a state dict under our keys and returns a config that builds the backbone,
and notes on what shapes do not say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.architecture_convolutional import (
    DEFAULT_IMAGE,
    Architecture,
    State,
    convnext,
    count,
    need,
    resnet,
)
from simmim_bench.weights.convert.architecture_swinv2 import swinv2

HEAD_CHANNELS = 64  # of every published plain ViT
EXTRA_BIASES = 3  # rows of a BEiT table beside the patches: class token
TABLE = "relative_position_bias_table"
SHARED_TABLE = f"rel_pos_bias.{TABLE}"


def infer_architecture(adapter: str, state: State) -> Architecture:
    """Architecture of a backbone's weights.

    Args:
        adapter: Name of the backbone's adapter.
        state: Weights under our backbone keys.

    Raises:
        BenchError: If a tensor that tells a size is missing or belongs to no size.
    """
    return _INFER[adapter](state)


def square_side(rows: int, what: str) -> int:
    """Side of a square of ``rows``.

    Raises:
        BenchError: If there is none.
    """
    side = math.isqrt(rows)
    if side * side != rows:
        raise BenchError(
            f"{what} has {rows} rows, which are no square; only square windows and images "
            f"can be converted, without register tokens"
        )
    return side


def table_window(table: Tensor, what: str, extra_rows: int = 0) -> int:
    """Window of a square table of (2 * window - 1) ** 2 + extra_rows rows.

    Raises:
        BenchError: If it belongs to no square window.
    """
    side = square_side(table.shape[0] - extra_rows, what)
    if side % 2 == 0:
        raise BenchError(
            f"{what} has {table.shape[0]} rows, which fit no window; expected (2 * window - 1) "
            f"squared"
        )
    return (side + 1) // 2


def window_config(windows: Sequence[int]) -> dict[str, Any]:
    """Options of mmpretrain's Swin for one window a stage."""
    if len(set(windows)) == 1:
        return {"window_size": windows[0]}
    return {
        "window_size": max(windows),
        "stage_cfgs": [{"window_size": window} for window in windows],
    }


def _swin(state: State) -> Architecture:
    patches = need(state, "patch_embed.projection.weight")
    depths = [
        count(state, rf"stages\.{stage}\.blocks\.(\d+)\..*")
        for stage in range(count(state, r"stages\.(\d+)\..*"))
    ]
    keys = [f"stages.{stage}.blocks.0.attn.w_msa.{TABLE}" for stage in range(len(depths))]
    tables = [need(state, key) for key in keys]
    windows = [table_window(table, key) for table, key in zip(tables, keys, strict=True)]
    patch, absolute = patches.shape[2], state.get("absolute_pos_embed")
    last = len(depths) - 1
    notes: tuple[str, ...] = ()
    if absolute is None:
        image = patch * 2**last * windows[-1]
        notes = (f"image size is not in the weights: {image} assumed, one window at the end",)
    else:
        image = patch * square_side(absolute.shape[1], "absolute_pos_embed")
    norms = [stage for stage in range(len(depths)) if f"norm{stage}.weight" in state]
    return Architecture(
        "swin",
        {
            "type": "mmpretrain.SwinTransformer",
            "arch": {
                "embed_dims": patches.shape[0],
                "depths": depths,
                "num_heads": [table.shape[1] for table in tables],
            },
            "img_size": image,
            "patch_size": patch,
            "in_channels": patches.shape[1],
            **window_config(windows),
            "use_abs_pos_embed": absolute is not None,
            "out_indices": tuple(sorted({*norms, last})),
            "drop_path_rate": 0.0,
        },
        notes,
    )


def _vit(state: State) -> Architecture:
    table = state.get(SHARED_TABLE, state.get(f"layers.0.attn.{TABLE}"))
    shared = SHARED_TABLE in state
    config, notes = _any_vit(state, heads=None if table is None else table.shape[1])
    if table is not None:
        config["img_size"] = config["patch_size"] * table_window(table, TABLE, EXTRA_BIASES)
    elif "pos_embed" not in state:
        notes += (f"image size is not in the weights: {DEFAULT_IMAGE} assumed",)
    return Architecture(
        "vit",
        {
            **config,
            "type": "mmpretrain.BEiTViT",
            "use_abs_pos_emb": "pos_embed" in state,
            "use_rel_pos_bias": table is not None and not shared,
            "use_shared_rel_pos_bias": shared,
            "layer_scale_init_value": 0.1 if "layers.0.gamma_1" in state else 0.0,
            "layer_cfgs": {"ffn_cfg": {"add_identity": False, "dropout_layer": None}},
        },
        notes,
    )


def _plain_vit(state: State) -> Architecture:
    config, notes = _any_vit(state, heads=None)
    scaled = "layers.0.attn.gamma1.weight" in state
    return Architecture(
        "plain_vit",
        {
            **config,
            "type": "mmpretrain.VisionTransformer",
            "qkv_bias": "layers.0.attn.qkv.bias" in state,
            "layer_scale_init_value": 1e-5 if scaled else 0.0,
        },
        notes,
    )


def _any_vit(state: State, *, heads: int | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What BEiT-style and plain ViT share; heads by convention where no table has them."""
    patches = need(state, "patch_embed.projection.weight")
    width, patch = patches.shape[0], patches.shape[2]
    notes: tuple[str, ...] = ()
    if heads is None:
        heads = max(1, width // HEAD_CHANNELS)
        notes = (f"heads are not in the weights: {heads} of {HEAD_CHANNELS} channels assumed",)
    class_token = "cls_token" in state
    image, positions = DEFAULT_IMAGE, state.get("pos_embed")
    if positions is not None:
        tokens = positions.shape[1] - class_token
        image = patch * square_side(tokens, "the patches' part of pos_embed")
    config = {
        "arch": {
            "embed_dims": width,
            "num_layers": count(state, r"layers\.(\d+)\..*"),
            "num_heads": heads,
            "feedforward_channels": need(state, "layers.0.ffn.layers.0.0.weight").shape[0],
        },
        "img_size": image,
        "patch_size": patch,
        "in_channels": patches.shape[1],
        "with_cls_token": class_token,
        "final_norm": "ln1.weight" in state,
        "out_type": "avg_featmap" if "ln2.weight" in state else "featmap",
    }
    return config, notes


_INFER: dict[str, Callable[[State], Architecture]] = {
    "swin": _swin,
    "vit": _vit,
    "plain_vit": _plain_vit,
    "swinv2": swinv2,
    "resnet": resnet,
    "convnext": convnext,
}
