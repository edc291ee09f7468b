"""Key maps between other libraries' checkpoints and ours, as data.

A rule is a pair of prefixes, theirs and ours; ``{}`` stands for a number, and what follows the
prefix is kept. The first rule that fits a key renames it, so a map reads both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

Rule = tuple[str, str]

_ATTENTION = ("relative_position_bias_table", "relative_position_index", "qkv.", "proj.")

SWIN_RULES: tuple[Rule, ...] = (
    ("patch_embed.proj.", "patch_embed.projection."),
    ("patch_embed.norm.", "patch_embed.norm."),
    ("absolute_pos_embed", "absolute_pos_embed"),
    *(
        (f"layers.{{}}.blocks.{{}}.attn.{part}", f"stages.{{}}.blocks.{{}}.attn.w_msa.{part}")
        for part in _ATTENTION
    ),
    ("layers.{}.blocks.{}.norm1.", "stages.{}.blocks.{}.norm1."),
    ("layers.{}.blocks.{}.norm2.", "stages.{}.blocks.{}.norm2."),
    ("layers.{}.blocks.{}.mlp.fc1.", "stages.{}.blocks.{}.ffn.layers.0.0."),
    ("layers.{}.blocks.{}.mlp.fc2.", "stages.{}.blocks.{}.ffn.layers.1."),
    ("layers.{}.downsample.", "stages.{}.downsample."),
    ("norm.", "norm3."),
)
"""Backbone keys of microsoft/SimMIM's Swin and of ``mmpretrain.SwinTransformer``."""

_ATTENTION_V2 = (
    "relative_coords_table",
    "relative_position_index",
    "cpb_mlp.",
    "logit_scale",
    "q_bias",
    "v_bias",
    "qkv.weight",
    "proj.",
)

TIMM_SWINV2_RULES: tuple[Rule, ...] = (
    *(rule for rule in SWIN_RULES if ".attn." not in rule[0]),
    *(
        (f"layers.{{}}.blocks.{{}}.attn.{part}", f"stages.{{}}.blocks.{{}}.attn.w_msa.{part}")
        for part in _ATTENTION_V2
    ),
)
"""Backbone keys of timm's ``SwinTransformerV2`` and of mmpretrain's: stages start by merging."""

SWINV2_RULES: tuple[Rule, ...] = (
    *((f"layers.{stage}.downsample.", f"stages.{stage + 1}.downsample.") for stage in range(3)),
    *(rule for rule in TIMM_SWINV2_RULES if "downsample" not in rule[0]),
    ("layers.{}.blocks.{}.attn.rpe_mlp.", "stages.{}.blocks.{}.attn.w_msa.cpb_mlp."),
)
"""Backbone keys of microsoft/Swin-Transformer's Swin V2 (its stages end by merging) and ours.

Its released files have the older name ``rpe_mlp``, which its utils_simmim.py renames on loading.
"""

VIT_RULES: tuple[Rule, ...] = (
    ("patch_embed.proj.", "patch_embed.projection."),
    ("cls_token", "cls_token"),
    ("pos_embed", "pos_embed"),
    ("rel_pos_bias.", "rel_pos_bias."),
    ("blocks.{}.gamma_", "layers.{}.gamma_"),
    ("blocks.{}.attn.", "layers.{}.attn."),
    ("blocks.{}.norm1.", "layers.{}.ln1."),
    ("blocks.{}.norm2.", "layers.{}.ln2."),
    ("blocks.{}.mlp.fc1.", "layers.{}.ffn.layers.0.0."),
    ("blocks.{}.mlp.fc2.", "layers.{}.ffn.layers.1."),
    ("norm.", "ln1."),
    ("fc_norm.", "ln2."),
)
"""Backbone keys of microsoft/SimMIM's ViT and of ``mmpretrain.BEiTViT``."""

PLAIN_VIT_RULES: tuple[Rule, ...] = (
    ("patch_embed.proj.", "patch_embed.projection."),
    ("cls_token", "cls_token"),
    ("pos_embed", "pos_embed"),
    ("blocks.{}.ls1.gamma", "layers.{}.attn.gamma1.weight"),  # before attn., which it is in
    ("blocks.{}.attn.", "layers.{}.attn."),
    ("blocks.{}.norm1.", "layers.{}.ln1."),
    ("blocks.{}.norm2.", "layers.{}.ln2."),
    ("blocks.{}.mlp.fc1.", "layers.{}.ffn.layers.0.0."),
    ("blocks.{}.mlp.fc2.", "layers.{}.ffn.layers.1."),
    ("blocks.{}.ls2.gamma", "layers.{}.ffn.gamma2.weight"),
    ("norm.", "ln1."),
    ("fc_norm.", "ln2."),
)
"""Backbone keys of timm's ``VisionTransformer`` and of mmpretrain's."""

_TORCHVISION_LAYER = "encoder.layers.encoder_layer_{}."
TORCHVISION_VIT_RULES: tuple[Rule, ...] = (
    ("conv_proj.", "patch_embed.projection."),
    ("class_token", "cls_token"),
    ("encoder.pos_embedding", "pos_embed"),
    (f"{_TORCHVISION_LAYER}self_attention.in_proj_", "layers.{}.attn.qkv."),
    (f"{_TORCHVISION_LAYER}self_attention.out_proj.", "layers.{}.attn.proj."),
    (f"{_TORCHVISION_LAYER}ln_1.", "layers.{}.ln1."),
    (f"{_TORCHVISION_LAYER}ln_2.", "layers.{}.ln2."),
    (f"{_TORCHVISION_LAYER}mlp.0.", "layers.{}.ffn.layers.0.0."),
    (f"{_TORCHVISION_LAYER}mlp.3.", "layers.{}.ffn.layers.1."),
    ("encoder.ln.", "ln1."),
)
"""Backbone keys of torchvision's ``VisionTransformer`` and of mmpretrain's."""

RESNET_RULES: tuple[Rule, ...] = tuple(
    (key, key)
    for key in (
        "conv1.",
        "bn1.",
        "layer{}.{}.conv{}.",
        "layer{}.{}.bn{}.",
        "layer{}.{}.downsample.{}.",
    )
)
"""Backbone keys of torchvision's and timm's ResNet, which are mmpretrain's and mmdet's too."""

RESNET_CHILDREN_RULES: tuple[Rule, ...] = (
    ("0.", "conv1."),
    ("1.", "bn1."),
    *((f"{3 + stage}.{{}}.", f"layer{stage}.{{}}.") for stage in range(1, 5)),
)
"""Keys of ``nn.Sequential(*resnet.children())``, which lightly's examples use as a backbone."""

_CONVNEXT_BLOCK = ("depthwise_conv.", "norm.", "pointwise_conv1.", "pointwise_conv2.", "gamma")

CONVNEXT_RULES: tuple[Rule, ...] = (
    ("downsample_layers.{}.{}.", "downsample_layers.{}.{}."),
    *(
        (f"stages.{{}}.{{}}.{theirs}", f"stages.{{}}.{{}}.{ours}")
        for theirs, ours in zip(
            ("dwconv.", "norm.", "pwconv1.", "pwconv2.", "gamma"), _CONVNEXT_BLOCK, strict=True
        )
    ),
    ("norm.", "norm3."),
)
"""Backbone keys of facebookresearch/ConvNeXt and of ``mmpretrain.ConvNeXt``."""

TIMM_CONVNEXT_RULES: tuple[Rule, ...] = (
    ("stem.{}.", "downsample_layers.0.{}."),
    *(
        (f"stages.{stage}.downsample.{{}}.", f"downsample_layers.{stage}.{{}}.")
        for stage in range(1, 4)
    ),
    *(
        (f"stages.{{}}.blocks.{{}}.{theirs}", f"stages.{{}}.{{}}.{ours}")
        for theirs, ours in zip(
            ("conv_dw.", "norm.", "mlp.fc1.", "mlp.fc2.", "gamma"), _CONVNEXT_BLOCK, strict=True
        )
    ),
    ("stages.{}.blocks.{}.mlp.grn.weight", "stages.{}.{}.grn.gamma"),
    ("stages.{}.blocks.{}.mlp.grn.bias", "stages.{}.{}.grn.beta"),
    ("head.norm.", "norm3."),
)
"""Backbone keys of timm's ``ConvNeXt`` (V2 as well) and of ``mmpretrain.ConvNeXt``."""

TORCHVISION_CONVNEXT_RULES: tuple[Rule, ...] = (
    ("features.0.{}.", "downsample_layers.0.{}."),
    *((f"features.{2 * stage}.{{}}.", f"downsample_layers.{stage}.{{}}.") for stage in range(1, 4)),
    *(
        (f"features.{2 * stage + 1}.{{}}.{theirs}", f"stages.{stage}.{{}}.{ours}")
        for stage in range(4)
        for theirs, ours in zip(
            ("block.0.", "block.2.", "block.3.", "block.5.", "layer_scale"),
            _CONVNEXT_BLOCK,
            strict=True,
        )
    ),
    ("classifier.0.", "norm3."),
)
"""Backbone keys of torchvision's ``ConvNeXt`` and of ``mmpretrain.ConvNeXt``."""

ORIGINAL_RULES: dict[str, tuple[Rule, ...]] = {
    "swin": SWIN_RULES,
    "vit": VIT_RULES,
    "swinv2": SWINV2_RULES,
}
"""Rules of the original by the name of the backbone's adapter."""

_TIMM_MERGING: tuple[Rule, ...] = tuple(
    (f"layers.{stage + 1}.downsample.", f"stages.{stage}.downsample.") for stage in range(3)
)  # timm >= 0.9 merges at the start of the next stage

TIMM_RULES: dict[str, tuple[Rule, ...]] = {
    "swin": _TIMM_MERGING + tuple(rule for rule in SWIN_RULES if "downsample" not in rule[0]),
    "swinv2": TIMM_SWINV2_RULES,
    "vit": VIT_RULES,
    "plain_vit": PLAIN_VIT_RULES,
    "resnet": RESNET_RULES,
    "convnext": TIMM_CONVNEXT_RULES,
}
"""Rules of timm (0.9 or later) by the name of the backbone's adapter."""

TORCHVISION_RULES: dict[str, tuple[Rule, ...]] = {
    "plain_vit": TORCHVISION_VIT_RULES,
    "resnet": RESNET_RULES,
    "convnext": TORCHVISION_CONVNEXT_RULES,
}
"""Rules of torchvision by the name of the backbone's adapter."""

OWN_RULES: dict[str, tuple[Rule, ...]] = {
    "swin": (*((ours, ours) for _, ours in SWIN_RULES[:-1]), ("norm{}.", "norm{}.")),
    "swinv2": (
        *((ours, ours) for _, ours in TIMM_SWINV2_RULES if ours != "norm3."),
        ("stages.{}.blocks.{}.norm3.", "stages.{}.blocks.{}.norm3."),  # of the largest
        ("norm{}.", "norm{}."),
    ),
    "vit": tuple((ours, ours) for _, ours in VIT_RULES),
    "plain_vit": tuple((ours, ours) for _, ours in PLAIN_VIT_RULES),
    "resnet": RESNET_RULES,
    "convnext": (
        *((ours, ours) for _, ours in TIMM_CONVNEXT_RULES[:-1]),
        ("norm{}.", "norm{}."),
    ),
}
"""Our names, which are mmpretrain's and, for Swin, those of mmdet and mmseg."""

ALGORITHM_RULES: tuple[Rule, ...] = (
    ("encoder.mask_token", "mask_token"),
    ("decoder.0.", "decoder.projection."),
)
"""Keys beside the backbone in a pretraining checkpoint."""

CLASSIFIER_RULES: tuple[Rule, ...] = (("head.", "head.fc."),)
"""Keys beside the backbone in a classifier."""

DROPPED = r".*\.attn_mask"
"""Buffers of the original that our model computes at each call."""


@dataclass(frozen=True)
class KeyMap:
    """Rename keys by ordered rules, in both directions."""

    rules: tuple[Rule, ...]

    def to_ours(self, key: str) -> str | None:
        """Our name of ``key``, or None if no rule fits."""
        return _rename(key, self.rules)

    def to_theirs(self, key: str) -> str | None:
        """Their name of ``key``, or None if no rule fits."""
        return _rename(key, ((ours, theirs) for theirs, ours in self.rules))


def _rename(key: str, rules: Iterable[Rule]) -> str | None:
    for old, new in rules:
        found = _pattern(old).match(key)
        if found:
            return new.format(*found.groups()) + key[found.end() :]
    return None


@cache
def _pattern(prefix: str) -> re.Pattern[str]:
    return re.compile(re.escape(prefix).replace(r"\{\}", r"(\d+)"))
