"""Infer a backbone's architecture from the shapes of its weights.

Each function takes a state dict under our keys and returns a config that builds the backbone, with
notes on what shapes do not say. The position biases of Swin V2 (https://arxiv.org/abs/2111.09883)
come from a network over coordinates, so no weight has the shape of a window. The original and
mmpretrain store the coordinates, which show the windows; timm does not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.plugins import Table

State = Mapping[str, Tensor]
DEFAULT_IMAGE = 224
IMAGE_NOTE = f"image size is not in the weights: {DEFAULT_IMAGE} assumed"
HEAD_CHANNELS = 64  # of most published plain ViTs
WIDE_HEADS = {1280: 16, 1408: 16, 1664: 16}
"""Heads by width of ViT-H, ViT-g and ViT-bigG, whose heads have 80, 88 and 104 channels."""
EXTRA_BIASES = 3  # rows of a BEiT table beside the patches: class token
TABLE = "relative_position_bias_table"
SHARED_TABLE = f"rel_pos_bias.{TABLE}"
V2_WINDOW, V2_IMAGE = 8, 256  # of section 3.6's smallest models, to compare libraries with
NO_WINDOW = "windows are not in the weights"
STAGES = 4  # of ResNet and ConvNeXt
RESNET_BLOCKS = {
    18: (False, (2, 2, 2, 2)),
    34: (False, (3, 4, 6, 3)),
    50: (True, (3, 4, 6, 3)),
    101: (True, (3, 4, 23, 3)),
    152: (True, (3, 8, 36, 3)),
}
"""Whether blocks are bottlenecks, and their number in each stage: He et al., table 1."""


@dataclass(frozen=True)
class Architecture:
    """A backbone.

    Args:
        adapter: Name of its adapter.
        config: Config that builds it.
        notes: What had to be assumed for it.
        theirs: What its ``config.json`` of transformers says, if it has one.
    """

    adapter: str
    config: dict[str, Any]
    notes: tuple[str, ...] = ()
    theirs: dict[str, Any] = field(default_factory=dict)

    @property
    def image_size(self) -> int:
        """Side of the image, in pixels; convolutional backbones have none of their own."""
        return int(self.config.get("img_size", DEFAULT_IMAGE))


def need(state: State, key: str) -> Tensor:
    """A tensor that shows a size.

    Raises:
        BenchError: If it is missing.
    """
    if key not in state:
        raise BenchError(
            f"{key} is missing; the backbone's size is read from it; give a complete file"
        )
    return state[key]


def count(state: State, pattern: str) -> int:
    """How many blocks or stages there are: one more than the largest number in ``pattern``."""
    found = (re.fullmatch(pattern, key) for key in state)
    return 1 + max((int(match.group(1)) for match in found if match), default=-1)


def infer_architecture(adapter: str, state: State) -> Architecture:
    """Architecture of a backbone's weights.

    Args:
        adapter: Name of the backbone's adapter.
        state: Weights under our backbone keys.

    Raises:
        BenchError: If a tensor that shows a size is missing or has an impossible shape.
    """
    return INFER.all()[adapter](state)


def square_side(rows: int, what: str) -> int:
    """Side of a square of ``rows``.

    Raises:
        BenchError: If ``rows`` is not a square number.
    """
    side = math.isqrt(rows)
    if side * side != rows:
        raise BenchError(
            f"{what} has {rows} rows, which is not a square number; only square windows and images "
            f"without register tokens can be converted"
        )
    return side


def table_window(table: Tensor, what: str, extra_rows: int = 0) -> int:
    """Window of a square table of (2 * window - 1) ** 2 + extra_rows rows.

    Raises:
        BenchError: If no square window has so many rows.
    """
    side = square_side(table.shape[0] - extra_rows, what)
    if side % 2 == 0:
        raise BenchError(
            f"{what} has {table.shape[0]} rows, expected (2 * window - 1) ** 2 for some window"
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
        heads = WIDE_HEADS.get(width, max(1, width // HEAD_CHANNELS))
        notes = (_heads_note(heads, width),)
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


def _heads_note(heads: int, width: int) -> str:
    return f"heads are not in the weights: {heads} of {width // heads} channels assumed"


def with_heads(architecture: Architecture, heads: Mapping[int, int]) -> Architecture:
    """The same with the heads that a plain ViT of this width has in a library.

    Args:
        architecture: As inferred from weights.
        heads: Number of heads by width, where it is not the usual one.
    """
    arch = architecture.config.get("arch", {})
    if architecture.adapter != "plain_vit" or arch["embed_dims"] not in heads:
        return architecture
    own = heads[arch["embed_dims"]]
    config = {**architecture.config, "arch": {**arch, "num_heads": own}}
    notes = (note for note in architecture.notes if not note.startswith("heads"))
    return replace(
        architecture, config=config, notes=(_heads_note(own, arch["embed_dims"]), *notes)
    )


def _swinv2(state: State) -> Architecture:
    """Swin V2; windows of ``V2_WINDOW`` where the file has no coordinates.

    Raises:
        BenchError: If a tensor that shows a size is missing.
    """
    patches = need(state, "patch_embed.projection.weight")
    depths = [
        count(state, rf"stages\.{stage}\.blocks\.(\d+)\..*")
        for stage in range(count(state, r"stages\.(\d+)\..*"))
    ]
    parts = [f"stages.{stage}.blocks.0.attn.w_msa." for stage in range(len(depths))]
    heads = [need(state, f"{part}logit_scale").shape[0] for part in parts]
    tables = [state.get(f"{part}relative_coords_table") for part in parts]
    windows = [(table.shape[1] + 1) // 2 for table in tables if table is not None]
    known = len(windows) == len(depths) > 0
    patch, multiple = patches.shape[2], patches.shape[2] * 2 ** (len(depths) - 1)
    image = multiple * windows[-1] if known else V2_IMAGE
    assumed = f"image size is not in the weights: {image} assumed, one window at the end"
    norms = [stage for stage in range(len(depths)) if f"norm{stage}.weight" in state]
    return Architecture(
        "swinv2",
        {
            "type": "mmpretrain.SwinTransformerV2",
            "arch": {
                "embed_dims": patches.shape[0],
                "depths": depths,
                "num_heads": heads,
                "extra_norm_every_n_blocks": _first_extra_norm(state),
            },
            "img_size": image,
            "patch_size": patch,
            "in_channels": patches.shape[1],
            "window_size": windows if known else [V2_WINDOW] * len(depths),
            "use_abs_pos_embed": "absolute_pos_embed" in state,
            "out_indices": tuple(sorted({*norms, len(depths) - 1})),
            "drop_path_rate": 0.0,
        },
        (assumed if known else NO_WINDOW,),
    )


def _first_extra_norm(state: State) -> int:
    """Every how many blocks there is a third norm; 0 for never."""
    with_norm = (key.split(".") for key in state if key.endswith(".norm3.weight"))
    return min((int(parts[3]) + 1 for parts in with_norm), default=0)


def _resnet(state: State) -> Architecture:
    """ResNet of a published depth (https://arxiv.org/abs/1512.03385, table 1).

    Raises:
        BenchError: If a tensor that shows a size is missing, or no such depth has these blocks.
    """
    stem, first = need(state, "conv1.weight"), need(state, "layer1.0.conv1.weight")
    blocks = tuple(count(state, rf"layer{i + 1}\.(\d+)\..*") for i in range(STAGES))
    bottleneck = any(key.startswith("layer1.") and ".conv3." in key for key in state)
    depth = next((n for n, known in RESNET_BLOCKS.items() if known == (bottleneck, blocks)), None)
    if depth is None:
        kind = "bottleneck" if bottleneck else "basic"
        known = ", ".join(map(str, RESNET_BLOCKS))
        raise BenchError(
            f"a ResNet with {blocks} {kind} blocks in its stages is not supported; supported "
            f"depths: {known}"
        )
    return Architecture(
        "resnet",
        {
            "type": "mmpretrain.ResNet",
            "depth": depth,
            "in_channels": stem.shape[1],
            "stem_channels": stem.shape[0],
            "base_channels": first.shape[0],
            "out_indices": (STAGES - 1,),
        },
        ("the 3 x 3 convolution of a block has its stride (style pytorch)", IMAGE_NOTE),
    )


def _convnext(state: State) -> Architecture:
    """ConvNeXt (https://arxiv.org/abs/2201.03545) and V2 (https://arxiv.org/abs/2301.00808).

    Raises:
        BenchError: If a tensor that shows a size is missing.
    """
    stem = need(state, "downsample_layers.0.0.weight")
    stages = range(STAGES)
    norms = [need(state, f"stages.{stage}.0.norm.weight") for stage in stages]
    outputs = [stage for stage in stages if f"norm{stage}.weight" in state]
    return Architecture(
        "convnext",
        {
            "type": "mmpretrain.ConvNeXt",
            "arch": {
                "depths": [count(state, rf"stages\.{stage}\.(\d+)\..*") for stage in stages],
                "channels": [norm.shape[0] for norm in norms],
            },
            "in_channels": stem.shape[1],
            "stem_patch_size": stem.shape[2],
            "linear_pw_conv": need(state, "stages.0.0.pointwise_conv1.weight").ndim == 2,
            "use_grn": "stages.0.0.grn.gamma" in state,
            "layer_scale_init_value": 1e-6 if "stages.0.0.gamma" in state else 0.0,
            "out_indices": sorted({*outputs, STAGES - 1}),
            "gap_before_final_norm": False,
        },
        (IMAGE_NOTE,),
    )


INFER: Table[Callable[[State], Architecture]] = Table(
    "function from weights to a config, of the adapter",
    {
        "swin": _swin,
        "vit": _vit,
        "plain_vit": _plain_vit,
        "swinv2": _swinv2,
        "resnet": _resnet,
        "convnext": _convnext,
    },
)
"""Functions from weights, under our keys, to their architecture, by name of the adapter."""
