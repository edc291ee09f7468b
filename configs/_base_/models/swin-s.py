# Swin-S: https://arxiv.org/abs/2103.14030, section 3.3.
swin_s = dict(
    type="mmpretrain.SwinTransformer",
    arch=dict(embed_dims=96, depths=[2, 2, 18, 2], num_heads=[3, 6, 12, 24]),
    patch_size=4,
)
# Linear layers start from a normal of 0.02: SimMIM, models/swin_transformer.py.
backbone_init = "original"
