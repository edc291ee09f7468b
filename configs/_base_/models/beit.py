# BEiT by mmpretrain's algorithm: https://arxiv.org/abs/2106.08254;
# mmpretrain 1.2, configs/beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py. Sizes and tokenizer
# are stated in each leaf.
model = dict(
    type="BEiT",
    backbone=dict(
        type="BEiTPretrainViT",
        layer_scale_init_value=0.1,
        use_abs_pos_emb=False,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="raw",
        norm_cfg=dict(type="LN", eps=1e-6),
        # the class's default would apply drop path twice to the feed-forward branch
        layer_cfgs=dict(ffn_cfg=dict(add_identity=False, dropout_layer=None)),
    ),
    neck=None,
    head=dict(type="BEiTV1Head", loss=dict(type="CrossEntropyLoss")),
    data_preprocessor=dict(
        type="TwoNormDataPreprocessor",
        # ImageNet's, as all our fine-tunings; the original's default is 127.5
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
