"""DINOv2's ViT with registers or gates, and DINOv3's, as timm's models (import only).

References: https://github.com/facebookresearch/dinov2, https://github.com/facebookresearch/dinov3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import timm
import torch
from torch import Tensor

from simmim_bench.errors import BenchError
from simmim_bench.weights.convert.conversion import Conversion
from simmim_bench.weights.convert.keymaps import KeyMap, Rule
from simmim_bench.weights.convert.keys_dino import (
    DINOV2_RULES,
    DINOV3_RULES,
    DROPPED,
    TRANSFORMERS_DINOV3_RULES,
)
from simmim_bench.weights.convert.plain import Dropped, Plain, readings
from simmim_bench.weights.convert.source import Source
from simmim_bench.weights.files import check_finite
from simmim_bench.weights.strict import compare_states
from simmim_bench.weights.tensors import check_tensors, check_values
from simmim_bench.weights.timm_models import TimmModel

HEAD_CHANNELS = {4096: 128}
"""Channels of a head by width, where it is not 64 (DINOv3's 7B)."""
THETA = 100.0
PERIODS = 1e-2  # relative; some files hold them in bfloat16
SIZES = {384: "small", 768: "base", 1024: "large", 1280: "huge_plus", 1536: "giant", 4096: "7b"}
MODEL_TYPE = "dinov3_vit"
State = dict[str, Tensor]


@dataclass(frozen=True)
class Family:
    """A kind of file.

    Attributes:
        name: Shown in the report.
        sign: Key that only such files have, a pattern.
        rules: From its names to timm's.
        model: Name and options of timm's model for its weights under timm's names.
    """

    name: str
    sign: str
    rules: tuple[Rule, ...]
    model: Callable[[State, int], tuple[str, dict[str, Any]]]


def convert_dino(source: Source, **options: Any) -> Conversion | None:
    """The weights as ``simmim_bench.TimmFeatures``; None if the file is of another kind.

    Args:
        source: The file.
        options: As of ``convert_checkpoint``.

    Raises:
        BenchError: If keys or shapes do not fit, or its numerics are not those of timm's model.
    """
    for plain in readings(source.content):
        for family in FAMILIES:
            if any(re.fullmatch(family.sign, key) for key in plain.state):
                return _convert(source, plain, family, options)
    return None


def _convert(source: Source, plain: Plain, family: Family, options: dict[str, Any]) -> Conversion:
    check_tensors(plain.state, source.name)
    check_finite(plain.state, source.name)
    dropped, unknown, state = _renamed(plain, family)
    heads, note = _heads(plain.state, state, source.config, family)
    name, model_options = family.model(state, heads)
    try:
        model = timm.create_model(name, pretrained=False, num_classes=0, **model_options).eval()
    except Exception as error:  # whatever a class says about odd sizes
        raise BenchError(
            f"the shapes in {source.name} are not those of a {family.name} "
            f"({type(error).__name__}: {error!s:.100}); use the original file"
        ) from error
    found = compare_states(model.state_dict(), state)
    found = replace(found, unexpected=(*found.unexpected, *unknown))
    if found:
        raise BenchError(
            f"{source.name} does not fit timm's {name}: {found}; give an unchanged file of "
            f"{family.name}"
        )
    check_values(model.state_dict(), state, source.name)
    model.load_state_dict(state)
    result = TimmModel(name, model_options, model, source).convert(own_class=True, **options)
    report = replace(
        result.report,
        layout=family.name,
        read=plain.notes,
        notes=(*result.report.notes, *note),
        dropped=(*dropped, *result.report.dropped),
    )
    return replace(result, report=report)


def _renamed(plain: Plain, family: Family) -> tuple[tuple[Dropped, ...], tuple[str, ...], State]:
    """Keys that are dropped, those that are not known, and the rest under timm's names."""
    keys, state = KeyMap(family.rules), State()
    dropped, unknown = list(plain.dropped), list(plain.unknown)
    for key, value in plain.state.items():
        reason = next((why for pattern, why in DROPPED if re.fullmatch(pattern, key)), None)
        name = keys.to_ours(key)
        if reason:
            dropped.append(Dropped(key, reason))
        elif name is None or name in state:
            unknown.append(key)
        else:
            state[name] = value
    if family.rules is DINOV2_RULES:
        _merge_class_token(state)
    else:
        _split_bias(state, plain.state)
    return tuple(dropped), tuple(unknown), state


def _merge_class_token(state: State) -> None:
    """Models of timm with registers have no position for the class token: it is added to it."""
    positions = state.get("pos_embed")
    if "reg_token" in state and positions is not None and positions.ndim == 3:
        if "cls_token" in state:
            state["cls_token"] = state["cls_token"] + positions[:, :1]
        state["pos_embed"] = positions[:, 1:]


def _split_bias(state: State, given: Mapping[str, Tensor]) -> None:
    """Biases of query and value; the keys have none, but their place in the file.

    Raises:
        BenchError: If the keys have one.
    """
    for key in [key for key in state if key.endswith("attn.qkv.bias")]:
        bias = state.pop(key)
        mask = given.get(f"{key}_mask")
        bias = bias if mask is None or mask.shape != bias.shape else torch.where(mask == 0, 0, bias)
        query, keys, value = bias.chunk(3)
        if keys.any():
            raise BenchError(
                f"{key} has a bias of the keys, which timm's DINOv3 lacks; this variant cannot be "
                f"converted"
            )
        state[key.replace("qkv.bias", "q_bias")] = query.clone()
        state[key.replace("qkv.bias", "v_bias")] = value.clone()
    gated = any(key.endswith("mlp.fc1_g.weight") for key in state)
    for key in [key for key in state if ".mlp.fc1_x." in key and not gated]:
        state[key.replace("fc1_x", "fc1")] = state.pop(key)


def _heads(
    given: Mapping[str, Tensor], state: State, config: Mapping[str, Any], family: Family
) -> tuple[int, tuple[str, ...]]:
    """Number of heads, and a note if it is assumed.

    Raises:
        BenchError: If periods or config are those of another model.
    """
    width = int(_need(state, "cls_token").shape[-1])
    periods = given.get("rope_embed.periods")
    if periods is not None:
        number = periods.numel()
        expected = THETA ** (torch.arange(number) * 2 / max(1, 2 * number))
        if not torch.allclose(periods.flatten().float(), expected, rtol=PERIODS):
            raise BenchError(
                "rope_embed.periods are not those of DINOv3 (100 to the power of 0 to 1); this "
                "variant cannot be converted"
            )
        return width // max(1, 4 * number), ()
    if config and family.rules is TRANSFORMERS_DINOV3_RULES:
        return _stated_heads(config, width), ()
    channels = HEAD_CHANNELS.get(width, 64)
    heads = max(1, width // channels)
    return heads, (f"heads are not in the weights: {heads} of {width // heads} channels assumed",)


def _stated_heads(config: Mapping[str, Any], width: int) -> int:
    if config.get("model_type") != MODEL_TYPE:
        raise BenchError(
            f"config.json says model_type {config.get('model_type')!r:.40}, expected {MODEL_TYPE}; "
            f"give the config of these weights"
        )
    act = "silu" if config.get("use_gated_mlp") is True else "gelu"
    for key, expected in (("rope_theta", THETA), ("layer_norm_eps", 1e-5), ("hidden_act", act)):
        if config.get(key, expected) != expected:
            raise BenchError(
                f"config.json says {key} {config[key]!r:.40}, but timm's DINOv3 has {expected!r}; "
                f"this variant cannot be converted"
            )
    heads = config.get("num_attention_heads")
    if not isinstance(heads, int) or heads < 1 or width % heads:
        raise BenchError(
            f"config.json says num_attention_heads {heads!r:.40}, expected a divisor of {width}"
        )
    return heads


def _need(state: State, key: str) -> Tensor:
    if key not in state or state[key].ndim == 0:
        raise BenchError(f"{key} is missing; the model's size is read from it; give a whole file")
    return state[key]


def _sizes(state: State, heads: int) -> dict[str, Any]:
    patches = _need(state, "patch_embed.proj.weight")
    depth = {match[1] for key in state if (match := re.match(r"blocks\.(\d+)\.", key))}
    return {
        "patch_size": int(patches.shape[-1]),
        "in_chans": int(patches.shape[1]) if patches.ndim == 4 else 0,
        "embed_dim": int(patches.shape[0]),
        "depth": len(depth),
        "num_heads": heads,
        "init_values": 1e-5,
        "dynamic_img_size": True,
    }


def _dinov2(state: State, heads: int) -> tuple[str, dict[str, Any]]:
    sizes = _sizes(state, heads)
    hidden, registers = _need(state, "blocks.0.mlp.fc1.weight").shape[0], state.get("reg_token")
    gated = hidden != _need(state, "blocks.0.mlp.fc2.weight").shape[-1]
    size = "giant" if gated else SIZES.get(sizes["embed_dim"], "small")
    name = f"vit_{size}_patch14_{'' if registers is None else 'reg4_'}dinov2"
    tokens = _need(state, "pos_embed").shape[1] - (registers is None)
    return name, {
        **sizes,
        "img_size": math.isqrt(max(0, tokens)) * sizes["patch_size"],
        "mlp_ratio": hidden / sizes["embed_dim"],
        "reg_tokens": 0 if registers is None else int(registers.shape[1]),
        "no_embed_class": registers is not None,
    }


def _dinov3(state: State, heads: int) -> tuple[str, dict[str, Any]]:
    sizes, gated = _sizes(state, heads), "blocks.0.mlp.fc1_g.weight" in state
    biased = "blocks.0.attn.q_bias" in state
    size = SIZES.get(sizes["embed_dim"], "small")
    name = f"vit_{size if size != 'giant' else 'small'}_patch16_dinov3"
    hidden = _need(state, f"blocks.0.mlp.fc1{'_g' if gated else ''}.weight").shape[0]
    return name, {
        **sizes,
        "img_size": 16 * sizes["patch_size"],  # any other, too
        "qkv_bias": biased,
        "mlp_ratio": hidden / sizes["embed_dim"],
        "num_reg_tokens": int(_need(state, "reg_token").shape[1]),
        "swiglu_mlp": gated,
        "swiglu_align_to": 8 if gated else 0,
    }


FAMILIES = (
    Family("DINOv2 with registers", r"register_tokens", DINOV2_RULES, _dinov2),
    Family("DINOv2 with a gated MLP", r"blocks\.0\.mlp\.w12\.weight", DINOV2_RULES, _dinov2),
    Family("DINOv3", r"storage_tokens", DINOV3_RULES, _dinov3),
    Family(
        "transformers DINOv3",
        r"layer\.0\.layer_scale1\.lambda1",
        TRANSFORMERS_DINOV3_RULES,
        _dinov3,
    ),
)
"""In the order in which they are looked for."""
