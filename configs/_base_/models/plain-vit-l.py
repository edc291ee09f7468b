# Plain ViT-L: https://arxiv.org/abs/2010.11929, table 1.
plain_vit_l = dict(
    type="mmpretrain.VisionTransformer",
    arch=dict(embed_dims=1024, num_layers=24, num_heads=16, feedforward_channels=4096),
    patch_size=16,
    with_cls_token=True,
    qkv_bias=True,
    norm_cfg=dict(type="LN", eps=1e-6),
)
# Linear layers and embeddings start from a normal of 0.02: timm, models/vision_transformer.py.
backbone_init = "original"
