# ViT-L in BEiT's style, as SimMIM's ViT-B: config.py and models/vision_transformer.py.
# The size is that of BEiT-L (https://arxiv.org/abs/2106.08254).
vit_l = dict(
    type="mmpretrain.BEiTViT",
    arch=dict(embed_dims=1024, num_layers=24, num_heads=16, feedforward_channels=4096),
    patch_size=16,
    with_cls_token=True,
    use_abs_pos_emb=False,
    bias="qv_bias",
    layer_scale_init_value=0.1,
    norm_cfg=dict(type="LN", eps=1e-6),
    # the class's default would apply drop path twice to the feed-forward branch
    layer_cfgs=dict(ffn_cfg=dict(add_identity=False, dropout_layer=None)),
)
# Projections start smaller with depth: SimMIM, models/vision_transformer.py.
backbone_init = "original"
