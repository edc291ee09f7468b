# SimMIM's 100 epochs, batch 2048:
# https://github.com/microsoft/SimMIM/blob/main/configs/swin_base__100ep/
# simmim_pretrain__swin_base__img192_window6__100ep.yaml
# Learning rates of the original x batch / 512 = x 4, as its main_simmim.py#L217-L225 scales all.
# The README's example has 16 GPUs with 128 images; 8 GPUs accumulate two iterations.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: main_simmim.py#L52, apex O1
    accumulative_counts=2,  # x 8 devices x 128 images = 2048
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay=1.0),  # decay rules only
    optimizer=dict(
        type="AdamW",
        lr=8e-4,  # BASE_LR 2e-4 x 4
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),  # TRAIN.CLIP_GRAD
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=10,  # WARMUP_EPOCHS
    warmup_factor=0.005,  # WARMUP_LR 1e-6 x 4 = 4e-6
    min_factor=0.05,  # MIN_LR 1e-5 x 4 = 4e-5
    end=100,  # warm-up included
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100)
auto_scale_lr = dict(base_batch_size=2048)
