# Swin V2-H: https://arxiv.org/abs/2111.09883, section 3.6. Heads of 32 channels, as
# in all sizes (mmpretrain has 8, 16, 32, 64 and says that it is not certain).
swinv2_h = dict(
    type="mmpretrain.SwinTransformerV2",
    arch=dict(
        embed_dims=352,
        depths=[2, 2, 18, 2],
        num_heads=[11, 22, 44, 88],
        extra_norm_every_n_blocks=6,
    ),
    patch_size=4,
)
# Norms at the end of each branch start at 0: Swin-Transformer, models/swin_transformer_v2.py.
backbone_init = "original"
