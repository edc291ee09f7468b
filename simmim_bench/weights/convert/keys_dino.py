"""Key maps of DINOv2's and DINOv3's ViT, from the original files and transformers to timm.

timm's classes compute them: ``VisionTransformer`` for DINOv2 (registers, gated MLP), ``Eva`` for
DINOv3 (rotary positions). A DINOv2 without both is a plain ViT of ours.
"""

from __future__ import annotations

from simmim_bench.weights.convert.keymaps import Rule

_SHARED: tuple[Rule, ...] = (
    ("cls_token", "cls_token"),
    ("patch_embed.proj.", "patch_embed.proj."),
    ("blocks.{}.norm1.", "blocks.{}.norm1."),
    ("blocks.{}.norm2.", "blocks.{}.norm2."),
    ("blocks.{}.attn.qkv.", "blocks.{}.attn.qkv."),
    ("blocks.{}.attn.proj.", "blocks.{}.attn.proj."),
    ("blocks.{}.mlp.fc1.", "blocks.{}.mlp.fc1."),
    ("blocks.{}.mlp.fc2.", "blocks.{}.mlp.fc2."),
    ("norm.", "norm."),
)

DINOV2_RULES: tuple[Rule, ...] = (
    *_SHARED,
    ("pos_embed", "pos_embed"),
    ("register_tokens", "reg_token"),
    ("blocks.{}.ls1.", "blocks.{}.ls1."),
    ("blocks.{}.ls2.", "blocks.{}.ls2."),
    ("blocks.{}.mlp.w12.", "blocks.{}.mlp.fc1."),
    ("blocks.{}.mlp.w3.", "blocks.{}.mlp.fc2."),
)

DINOV3_RULES: tuple[Rule, ...] = (
    *_SHARED,
    ("storage_tokens", "reg_token"),
    ("blocks.{}.ls1.gamma", "blocks.{}.gamma_1"),
    ("blocks.{}.ls2.gamma", "blocks.{}.gamma_2"),
    ("blocks.{}.mlp.w1.", "blocks.{}.mlp.fc1_g."),
    ("blocks.{}.mlp.w2.", "blocks.{}.mlp.fc1_x."),
    ("blocks.{}.mlp.w3.", "blocks.{}.mlp.fc2."),
)

_LAYER, _BLOCK = "layer.{}.", "blocks.{}."
TRANSFORMERS_DINOV3_RULES: tuple[Rule, ...] = (
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("embeddings.patch_embeddings.", "patch_embed.proj."),
    (f"{_LAYER}norm1.", f"{_BLOCK}norm1."),
    (f"{_LAYER}norm2.", f"{_BLOCK}norm2."),
    (f"{_LAYER}attention.q_proj+k_proj+v_proj.", f"{_BLOCK}attn.qkv."),
    (f"{_LAYER}attention.q_proj.bias", f"{_BLOCK}attn.q_bias"),
    (f"{_LAYER}attention.v_proj.bias", f"{_BLOCK}attn.v_bias"),
    (f"{_LAYER}attention.o_proj.", f"{_BLOCK}attn.proj."),
    (f"{_LAYER}layer_scale1.lambda1", f"{_BLOCK}gamma_1"),
    (f"{_LAYER}layer_scale2.lambda1", f"{_BLOCK}gamma_2"),
    (f"{_LAYER}mlp.gate_proj.", f"{_BLOCK}mlp.fc1_g."),
    (f"{_LAYER}mlp.up_proj.", f"{_BLOCK}mlp.fc1_x."),  # fc1 where there is no gate
    (f"{_LAYER}mlp.down_proj.", f"{_BLOCK}mlp.fc2."),
    ("norm.", "norm."),
)

MASK = "mask token of its pretraining, whose decoder is not there"
DROPPED: tuple[tuple[str, str], ...] = (
    (r"(embeddings\.)?mask_token", MASK),
    (r"rope_embed\.periods", "periods of the rotary positions, which timm computes"),
    (r"blocks\.\d+\.attn\.qkv\.bias_mask", "mask of the keys' bias, applied"),
    (r"local_cls_norm\..*", "norm of local crops in its pretraining"),
)
"""Keys that are not written, with the reason."""
