# Plain ViT-S: https://arxiv.org/abs/2010.11929, table 1; the size is that of DeiT-S
# (https://arxiv.org/abs/2012.12877).
plain_vit_s = dict(
    type="mmpretrain.VisionTransformer",
    arch=dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=1536),
    patch_size=16,
    with_cls_token=True,
    qkv_bias=True,
    norm_cfg=dict(type="LN", eps=1e-6),
)
# Linear layers and embeddings start from a normal of 0.02: timm, models/vision_transformer.py.
backbone_init = "original"
