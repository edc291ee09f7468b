# Swin V2-B: https://arxiv.org/abs/2111.09883, section 3.6.
swinv2_b = dict(
    type="mmpretrain.SwinTransformerV2",
    arch=dict(
        embed_dims=128,
        depths=[2, 2, 18, 2],
        num_heads=[4, 8, 16, 32],
        extra_norm_every_n_blocks=0,
    ),
    patch_size=4,
)
# Norms at the end of each branch start at 0: Swin-Transformer, models/swin_transformer_v2.py.
backbone_init = "original"
