# A ViT of the demo's size, 1.3 M parameters, in BEiT's style as SimMIM's ViT-B. Leaves name it
# beside swin-demo.py, which defines backbone_init for both.
vit_demo = dict(
    type="mmpretrain.BEiTViT",
    arch=dict(embed_dims=128, num_layers=6, num_heads=4, feedforward_channels=512),
    patch_size=8,
    with_cls_token=True,
    use_abs_pos_emb=False,
    bias="qv_bias",
    layer_scale_init_value=0.1,
    norm_cfg=dict(type="LN", eps=1e-6),
    # the class's default would apply drop path twice to the feed-forward branch
    layer_cfgs=dict(ffn_cfg=dict(add_identity=False, dropout_layer=None)),
)
