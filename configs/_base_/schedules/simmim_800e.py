# SimMIM's 800 epochs, batch 2048:
# https://github.com/microsoft/SimMIM/blob/main/configs/vit_base__800ep/
# simmim_pretrain__vit_base__img224__800ep.yaml and its swin_base__800ep, swin_large__800ep.
# Learning rates of the original x batch / 512 = x 4, as its main_simmim.py#L217-L225 scales them.
# The README's example has 16 GPUs with 128 images; 8 GPUs accumulate two iterations.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: main_simmim.py#L52, apex O1
    accumulative_counts=2,  # x 8 devices x 128 images = 2048
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),  # decay rules only
    optimizer=dict(
        type="AdamW",
        lr=4e-4,  # BASE_LR 1e-4 x 4
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),  # TRAIN.CLIP_GRAD
)
param_scheduler = dict(
    type="simmim_bench.WarmupMultiStepLR",
    warmup=10,  # WARMUP_EPOCHS
    warmup_factor=0.005,  # WARMUP_LR 5e-7 x 4 = 2e-6
    milestones=[700],  # LR_SCHEDULER.MULTISTEPS
    gamma=0.1,  # LR_SCHEDULER.GAMMA
    end=800,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=800)
auto_scale_lr = dict(base_batch_size=2048)
