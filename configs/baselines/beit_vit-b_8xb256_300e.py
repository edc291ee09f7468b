# BEiT, ViT-B, 300 epochs at 224 px, batch 2048, by mmpretrain's algorithm. It predicts the visual
# words of a trained tokenizer, DALL-E's encoder in mmpretrain's format; mmpretrain's config of the
# same recipe names the file. Put it where `tokenizer` points, or set
# model.target_generator.init_cfg.checkpoint.
# Values: https://arxiv.org/abs/2106.08254, appendix H; https://github.com/microsoft/unilm, beit,
# get_started_for_image_classification.md; mmpretrain 1.2,
# configs/beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k.py.
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/vit-b.py",
    "../_base_/datasets/imagenet_unlabelled.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="beit", backbone="vit-b", dataset="ImageNet-1k", epochs=300, image_size=224
)

tokenizer = "{{$SIMMIM_BENCH_DATA:data}}/beit/dalle_encoder.pth"
model = dict(
    type="BEiT",
    backbone=dict(
        type="BEiTPretrainViT",
        arch=_base_.vit_b.arch,
        patch_size=16,
        use_abs_pos_emb=False,
        layer_scale_init_value=0.1,
        norm_cfg=_base_.vit_b.norm_cfg,
        layer_cfgs=_base_.vit_b.layer_cfgs,
        img_size=224,
        drop_path_rate=0.1,
        use_rel_pos_bias=False,
        use_shared_rel_pos_bias=True,
        final_norm=True,
        out_type="raw",
        init_cfg=[
            dict(type="TruncNormal", std=0.02, layer="Linear"),
            dict(type="TruncNormal", std=0.02, layer="Conv2d"),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ],
    ),
    neck=None,
    head=dict(
        type="BEiTV1Head",
        embed_dims=768,
        num_embed=8192,
        loss=dict(type="CrossEntropyLoss"),
    ),
    target_generator=dict(type="DALL-E", init_cfg=dict(type="Pretrained", checkpoint=tokenizer)),
    data_preprocessor=dict(
        type="TwoNormDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        # DALL-E's: 0.8 x + 0.1 of an image in 0..1
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
                second_size=112,
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

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1.5e-3, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=3.0),
    paramwise_cfg=dict(
        custom_keys={
            ".ln": dict(decay_mult=0.0),
            ".bias": dict(decay_mult=0.0),
            "q_bias": dict(decay_mult=0.0),
            "v_bias": dict(decay_mult=0.0),
            ".cls_token": dict(decay_mult=0.0),
            ".pos_embed": dict(decay_mult=0.0),
            ".gamma": dict(decay_mult=0.0),
        }
    ),
)
find_unused_parameters = True
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-4, by_epoch=True, end=10, convert_to_iter_based=True),
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
