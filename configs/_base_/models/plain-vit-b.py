# Plain ViT-B: https://arxiv.org/abs/2010.11929, table 1.
plain_vit_b = dict(
    type="mmpretrain.VisionTransformer",
    arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
    patch_size=16,
    with_cls_token=True,
    qkv_bias=True,
    norm_cfg=dict(type="LN", eps=1e-6),
)
# Linear layers and embeddings start from a normal of 0.02: timm, models/vision_transformer.py.
backbone_init = "original"
