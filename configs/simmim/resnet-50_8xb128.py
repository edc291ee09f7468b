# SimMIM, ResNet-50, 100 epochs at 192 px, batch 1024: hidden pixels are a learned colour, as in
# https://arxiv.org/abs/2205.13943. The original has no such model; the recipe is its Swin-B's:
# https://github.com/microsoft/SimMIM, configs/swin_base__100ep/
# simmim_pretrain__swin_base__img192_window6__100ep.yaml (batch 2048).
_base_ = [
    "../_base_/runtime/default.py",
    "../_base_/models/resnet-50.py",
    "../_base_/models/simmim.py",
    "../_base_/datasets/imagenet_unlabelled.py",
]
default_scope = "mmpretrain"
pretraining = dict(
    method="simmim", backbone="resnet-50", dataset="ImageNet-1k", epochs=100, image_size=192
)

model = dict(
    backbone=dict(_base_.resnet_50),
)
train_dataloader = dict(
    batch_size=128,  # x 8 devices = 1024
    dataset=dict(
        pipeline=[
            dict(type="simmim_bench.LoadImage"),
            # torchvision's default interpolation: the original passes none here
            dict(
                type="RandomResizedCrop",
                scale=192,
                crop_ratio_range=(0.67, 1.0),
                aspect_ratio_range=(3 / 4, 4 / 3),
                backend="pillow",
                interpolation="bilinear",
            ),
            dict(type="RandomFlip", prob=0.5, direction="horizontal"),
            dict(
                type="simmim_bench.GenerateMask",
                mask_patch_size=32,  # DATA.MASK_PATCH_SIZE
                mask_ratio=0.6,  # DATA.MASK_RATIO
                token_size=4,
            ),
            dict(type="PackInputs", algorithm_keys=["mask"]),
        ]
    ),
)

# Learning rates of the original x batch / 512 = x 2, as its main_simmim.py scales all three.
optim_wrapper = dict(
    type="OptimWrapper",
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),  # decay rules only
    optimizer=dict(
        type="AdamW",
        lr=4e-4,  # BASE_LR 2e-4 x 2
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),  # TRAIN.CLIP_GRAD
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=10,  # WARMUP_EPOCHS
    warmup_factor=0.005,  # WARMUP_LR 1e-6 x 2 = 2e-6
    min_factor=0.05,  # MIN_LR 1e-5 x 2 = 2e-5
    end=100,  # warm-up included
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100)
auto_scale_lr = dict(base_batch_size=1024)
