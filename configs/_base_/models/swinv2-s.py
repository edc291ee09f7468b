# Swin V2-S: https://arxiv.org/abs/2111.09883, section 3.6.
swinv2_s = dict(
    type="mmpretrain.SwinTransformerV2",
    arch=dict(
        embed_dims=96,
        depths=[2, 2, 18, 2],
        num_heads=[3, 6, 12, 24],
        extra_norm_every_n_blocks=0,
    ),
    patch_size=4,
)
# Norms at the end of each branch start at 0: Swin-Transformer, models/swin_transformer_v2.py.
backbone_init = "original"
