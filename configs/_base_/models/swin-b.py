# Swin-B: https://arxiv.org/abs/2103.14030, section 3.3.
swin_b = dict(
    type="mmpretrain.SwinTransformer",
    arch=dict(embed_dims=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32]),
    patch_size=4,
)
