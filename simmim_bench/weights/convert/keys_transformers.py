"""Key maps of Hugging Face transformers, in the names of its files (those of versions 4 and 5).

Query, key and value are three tensors there. ``attention.fused`` joins those that are of one shape
under a name with all three, such as ``query+key+value``, and ``attention.split`` divides them.
"""

from __future__ import annotations

from simmim_bench.weights.convert.keymaps import Rule

JOINED = "query+key+value"
_SWIN, _OURS = "encoder.layers.{}.blocks.{}.", "stages.{}.blocks.{}."
_LAYER, _PLACE = "encoder.layer.{}.", "layers.{}."

_SWIN_SHARED: tuple[Rule, ...] = (
    ("embeddings.patch_embeddings.projection.", "patch_embed.projection."),
    ("embeddings.norm.", "patch_embed.norm."),
    ("embeddings.position_embeddings", "absolute_pos_embed"),
    (
        f"{_SWIN}attention.self.relative_position_index",
        f"{_OURS}attn.w_msa.relative_position_index",
    ),
    (f"{_SWIN}attention.self.{JOINED}.", f"{_OURS}attn.w_msa.qkv."),
    (f"{_SWIN}attention.output.dense.", f"{_OURS}attn.w_msa.proj."),
    (f"{_SWIN}layernorm_before.", f"{_OURS}norm1."),
    (f"{_SWIN}layernorm_after.", f"{_OURS}norm2."),
    (f"{_SWIN}intermediate.dense.", f"{_OURS}ffn.layers.0.0."),
    (f"{_SWIN}output.dense.", f"{_OURS}ffn.layers.1."),
    ("layernorm.", "norm3."),
)

_SWIN_RULES: tuple[Rule, ...] = (
    (
        f"{_SWIN}attention.self.relative_position_bias_table",
        f"{_OURS}attn.w_msa.relative_position_bias_table",
    ),
    ("encoder.layers.{}.downsample.", "stages.{}.downsample."),
    *_SWIN_SHARED,
)

_SWINV2_RULES: tuple[Rule, ...] = (
    *(
        (f"encoder.layers.{stage}.downsample.", f"stages.{stage + 1}.downsample.")
        for stage in range(3)
    ),
    (f"{_SWIN}attention.self.continuous_position_bias_mlp.", f"{_OURS}attn.w_msa.cpb_mlp."),
    (f"{_SWIN}attention.self.relative_coords_table", f"{_OURS}attn.w_msa.relative_coords_table"),
    (f"{_SWIN}attention.self.logit_scale", f"{_OURS}attn.w_msa.logit_scale"),
    (f"{_SWIN}attention.self.query.bias", f"{_OURS}attn.w_msa.q_bias"),
    (f"{_SWIN}attention.self.value.bias", f"{_OURS}attn.w_msa.v_bias"),
    *_SWIN_SHARED,
)

_VIT_SHARED: tuple[Rule, ...] = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection.", "patch_embed.projection."),
    (f"{_LAYER}attention.attention.{JOINED}.", f"{_PLACE}attn.qkv."),
    (f"{_LAYER}attention.output.dense.", f"{_PLACE}attn.proj."),
    (f"{_LAYER}layernorm_before.", f"{_PLACE}ln1."),
    (f"{_LAYER}layernorm_after.", f"{_PLACE}ln2."),
    (f"{_LAYER}intermediate.dense.", f"{_PLACE}ffn.layers.0.0."),
    (f"{_LAYER}output.dense.", f"{_PLACE}ffn.layers.1."),
    ("layernorm.", "ln1."),
)

_BEIT_RULES: tuple[Rule, ...] = (
    (f"{_LAYER}attention.attention.query.bias", f"{_PLACE}attn.q_bias"),
    (f"{_LAYER}attention.attention.value.bias", f"{_PLACE}attn.v_bias"),
    (f"{_LAYER}attention.attention.relative_position_bias.relative_", f"{_PLACE}attn.relative_"),
    ("encoder.relative_position_bias.", "rel_pos_bias."),
    (f"{_LAYER}lambda_", f"{_PLACE}gamma_"),
    ("pooler.layernorm.", "ln2."),
    *_VIT_SHARED,
)

_RESNET_RULES: tuple[Rule, ...] = (
    ("embedder.embedder.convolution.", "conv1."),
    ("embedder.embedder.normalization.", "bn1."),
    *(
        (f"encoder.stages.{stage}.layers.{{}}.{theirs}.", f"layer{stage + 1}.{{}}.{ours}.")
        for stage in range(4)
        for theirs, ours in (
            *((f"layer.{i}.convolution", f"conv{i + 1}") for i in range(3)),
            *((f"layer.{i}.normalization", f"bn{i + 1}") for i in range(3)),
            ("shortcut.convolution", "downsample.0"),
            ("shortcut.normalization", "downsample.1"),
        )
    ),
)

_CONVNEXT_RULES: tuple[Rule, ...] = (
    ("embeddings.patch_embeddings.", "downsample_layers.0.0."),
    ("embeddings.layernorm.", "downsample_layers.0.1."),
    ("encoder.stages.{}.downsampling_layer.{}.", "downsample_layers.{}.{}."),
    *(
        (f"encoder.stages.{{}}.layers.{{}}.{theirs}", f"stages.{{}}.{{}}.{ours}")
        for theirs, ours in (
            ("dwconv.", "depthwise_conv."),
            ("layernorm.", "norm."),
            ("pwconv1.", "pointwise_conv1."),
            ("pwconv2.", "pointwise_conv2."),
            ("layer_scale_parameter", "gamma"),
            ("grn.weight", "grn.gamma"),
            ("grn.bias", "grn.beta"),
        )
    ),
    ("layernorm.", "norm3."),
)

MODEL_RULES: dict[str, tuple[Rule, ...]] = {
    "swin": _SWIN_RULES,
    "swinv2": _SWINV2_RULES,
    "vit": _BEIT_RULES,
    "plain_vit": _VIT_SHARED,
    "resnet": _RESNET_RULES,
    "convnext": _CONVNEXT_RULES,
}
"""Keys of the bare models, such as ``SwinModel``, by the name of our adapter."""

NAMES: dict[str, tuple[str, ...]] = {
    "swin": ("swin",),
    "swinv2": ("swinv2",),
    "vit": ("beit",),
    "plain_vit": ("vit",),
    "resnet": ("resnet",),
    "convnext": ("convnext", "convnextv2"),
}
"""Prefixes of the bare model inside a model with a head."""

TASK_RULES: dict[str, tuple[Rule, ...]] = {
    adapter: tuple(
        (f"{name}.{theirs}", ours) for name in names for theirs, ours in MODEL_RULES[adapter]
    )
    for adapter, names in NAMES.items()
}
"""Keys of the models with a head, such as ``SwinForImageClassification``."""

_STAGE_NORMS: tuple[Rule, ...] = tuple(
    (f"hidden_states_norms.stage{stage + 1}.", f"norm{stage}.") for stage in range(4)
)
BACKBONE_RULES: dict[str, tuple[Rule, ...]] = {
    adapter: (*_STAGE_NORMS, *(rule for rule in MODEL_RULES[adapter] if rule[1] != "norm3."))
    for adapter in ("swin", "swinv2", "convnext")
}
"""Keys of the backbone classes, such as ``SwinBackbone``, which have a norm after each level."""
