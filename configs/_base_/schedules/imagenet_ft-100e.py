# SimMIM's fine-tuning, batch 2048: https://github.com/microsoft/SimMIM/tree/main/configs,
# simmim_finetune__*.yaml.
# Learning rates of the original x batch / 512 = x 4, as its main_finetune.py#L321-L329 scales all.
# The README's example has 16 GPUs with 128 images; 8 GPUs accumulate two iterations.
optim_wrapper = dict(
    type="AmpOptimWrapper",  # float16: main_finetune.py#L55, apex O1
    accumulative_counts=2,  # x 8 devices x 128 images = 2048
    constructor="simmim_bench.LayerDecayOptimWrapperConstructor",
    optimizer=dict(
        type="AdamW",
        lr=5e-3,  # BASE_LR 1.25e-3 x 4
        weight_decay=0.05,
        betas=(0.9, 0.999),
        eps=1e-8,
    ),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type="simmim_bench.WarmupCosineLR",
    warmup=20,
    warmup_factor=2e-4,  # WARMUP_LR 2.5e-7 x 4 = 1e-6
    min_factor=2e-4,  # MIN_LR 2.5e-7 x 4 = 1e-6
    end=100,  # warm-up included
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=2048)
