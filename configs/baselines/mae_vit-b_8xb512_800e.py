# MAE, plain ViT-B, 800 epochs at 224 px, batch 4096, by mmpretrain's algorithm.
# Values: https://arxiv.org/abs/2111.06377, table 8; https://github.com/facebookresearch/mae,
# main_pretrain.py; mmpretrain 1.2, configs/mae/mae_vit-base-p16_8xb512-amp-coslr-800e_in1k.py.
_base_ = ["../_base_/runtime/default.py", "../_base_/datasets/imagenet_unlabelled.py"]
default_scope = "mmpretrain"
pretraining = dict(
    method="mae", backbone="plain-vit-b", dataset="ImageNet-1k", epochs=800, image_size=224
)

model = dict(
    type="MAE",
    backbone=dict(
        type="MAEViT",
        arch=dict(embed_dims=768, num_layers=12, num_heads=12, feedforward_channels=3072),
        img_size=224,
        patch_size=16,
        mask_ratio=0.75,
    ),
    neck=dict(
        type="MAEPretrainDecoder",
        patch_size=16,
        num_patches=196,
        in_chans=3,
        embed_dim=768,
        decoder_embed_dim=512,
        decoder_depth=8,
        decoder_num_heads=16,
        mlp_ratio=4.0,
    ),
    head=dict(
        type="MAEPretrainHead",
        norm_pix=True,
        patch_size=16,
        loss=dict(type="PixelReconstructionLoss", criterion="L2"),
    ),
    init_cfg=[
        dict(type="Xavier", layer="Linear", distribution="uniform"),
        dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
    ],
    data_preprocessor=dict(
        type="SelfSupDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
)
train_dataloader = dict(
    batch_size=512,  # x 8 devices = 4096
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            dict(
                type="RandomResizedCrop",
                scale=224,
                crop_ratio_range=(0.2, 1.0),
                backend="pillow",
                interpolation="bicubic",
            ),
            dict(type="RandomFlip", prob=0.5),
            dict(type="PackInputs"),
        ]
    ),
)

# Biases and norms do not decay, as in MAE (timm's add_weight_decay), nor does the class token,
# which does there; the mask token decays in both, and position embeddings are constants.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),
    optimizer=dict(
        type="AdamW",
        lr=2.4e-3,  # 1.5e-4 x 4096 / 256
        weight_decay=0.05,
        betas=(0.9, 0.95),
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=1e-9, by_epoch=True, end=40, convert_to_iter_based=True),
    dict(
        type="CosineAnnealingLR",
        eta_min=0.0,
        by_epoch=True,
        begin=40,
        end=800,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=800)
auto_scale_lr = dict(base_batch_size=4096)
