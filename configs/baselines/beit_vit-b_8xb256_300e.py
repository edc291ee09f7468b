# BEiT, ViT-B in BEiT's style, 300 epochs at 224 px, batch 2048, by mmpretrain's algorithm. Its
# tokenizer is a file: https://mmassets.onedl.ai/mmselfsup/1.x/target_generator_ckpt/
# dalle_encoder.pth; from elsewhere: --cfg-options model.target_generator.checkpoint=FILE
# Values: https://arxiv.org/abs/2106.08254, appendix; https://github.com/microsoft/unilm,
# beit/run_beit_pretraining.py; mmpretrain 1.2,
# configs/beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py.
_base_ = ["../_base_/runtime/default.py", "../_base_/datasets/imagenet_unlabelled.py"]
default_scope = "mmpretrain"
pretraining = dict(
    method="beit", backbone="vit-b", dataset="ImageNet-1k", epochs=300, image_size=224
)

model = dict(
    type="BEiT",
    backbone=dict(
        type="BEiTPretrainViT",
        arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
        img_size=224,
        patch_size=16,
        drop_path_rate=0.1,
        layer_scale_init_value=0.1,
        use_abs_pos_emb=False,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="raw",
        norm_cfg=dict(type="LN", eps=1e-6),
        # the class's default would apply drop path twice to the feed-forward branch
        layer_cfgs=dict(ffn_cfg=dict(add_identity=False, dropout_layer=None)),
        init_cfg=[
            dict(type="TruncNormal", std=0.02, layer="Linear"),
            dict(type="TruncNormal", std=0.02, layer="Conv2d"),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ],
    ),
    neck=None,
    head=dict(
        type="BEiTV1Head", embed_dims=768, num_embed=8192, loss=dict(type="CrossEntropyLoss")
    ),
    target_generator=dict(
        type="simmim_bench.DallETokenizer",
        checkpoint="{{$SIMMIM_BENCH_DATA:data}}/teachers/dalle_encoder.pth",
    ),
    data_preprocessor=dict(
        type="TwoNormDataPreprocessor",
        # ImageNet's, as all our fine-tunings; the original's default is 127.5
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        # of the tokenizer: 0.8 x + 0.1 (dall_e/utils.py, map_pixels)
        second_mean=[-31.875, -31.875, -31.875],
        second_std=[318.75, 318.75, 318.75],
        to_rgb=True,
    ),
)
train_dataloader = dict(
    batch_size=256,  # x 8 devices = 2048
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(type="ColorJitter", brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0),
            dict(type="RandomFlip", prob=0.5, direction="horizontal"),
            dict(
                type="RandomResizedCropAndInterpolationWithTwoPic",
                size=224,
                second_size=112,  # the tokenizer's stride is 8
                interpolation="bicubic",
                second_interpolation="lanczos",
                scale=(0.08, 1.0),
            ),
            dict(
                type="BEiTMaskGenerator",
                input_size=(14, 14),
                num_masking_patches=75,
                max_num_patches=None,
                min_num_patches=16,
            ),
            dict(type="PackInputs"),
        ]
    ),
)

# One-dimensional parameters, biases and the class token do not decay: optim_factory.py.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.05, betas=(0.9, 0.999)),
    clip_grad=dict(max_norm=3.0),
)
find_unused_parameters = True
param_scheduler = [
    # from 0 (utils.py, cosine_scheduler)
    dict(type="LinearLR", start_factor=1e-9, by_epoch=True, end=10, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-5,
        by_epoch=True,
        begin=10,
        end=300,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=300)
auto_scale_lr = dict(base_batch_size=2048)
