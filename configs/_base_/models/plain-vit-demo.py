# A plain ViT of the demo's size, 1.2 M parameters. Leaves name it beside swin-demo.py, which
# defines backbone_init for both.
plain_vit_demo = dict(
    type="mmpretrain.VisionTransformer",
    arch=dict(embed_dims=128, num_layers=6, num_heads=4, feedforward_channels=512),
    patch_size=8,
    with_cls_token=True,
    qkv_bias=True,
    norm_cfg=dict(type="LN", eps=1e-6),
)
